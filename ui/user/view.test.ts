import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ticksOf, viewAround, wholeView } from './view.ts';

const day = 86_400_000;

test('the whole holds all that happened and what is foreseen soon, not a plan of the far future', () => {
  const now = 1000 * day;
  const { from, to } = wholeView([900 * day, 1010 * day, 9000 * day], now);
  assert.ok(from < 900 * day && from > 890 * day);
  assert.ok(to > 1010 * day && to < 1020 * day);
});

test('the whole of nobody is the last day', () => {
  const { from, to } = wholeView([], 1000 * day);
  assert.ok(from <= 999 * day && to >= 1000 * day);
});

test('a part stays within the whole', () => {
  const whole = { from: 0, to: 100 * day };
  assert.deepEqual(viewAround(50 * day, 10 * day, whole), { from: 45 * day, to: 55 * day });
  assert.deepEqual(viewAround(99 * day, 10 * day, whole), { from: 90 * day, to: 100 * day });
  assert.deepEqual(viewAround(0, 10 * day, whole), { from: 0, to: 10 * day });
  assert.deepEqual(viewAround(50 * day, 1000 * day, whole), whole);
});

test('ticks are round moments of the time zone, no more than asked for', () => {
  const { step, moments } = ticksOf({ from: 0, to: 10 * day }, 6, 7_200_000);
  assert.equal(step, 2 * day);
  assert.deepEqual(
    moments,
    [2, 4, 6, 8, 10].map((n) => n * day - 7_200_000),
  );
});
