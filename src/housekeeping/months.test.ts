import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptFrom, monthName, monthOf, monthsAhead, parseMonth, startOf } from './months.ts';

const at = (text: string) => Date.parse(text);
const text = (moment: number) => new Date(moment).toISOString();

test('a month begins with its first millisecond and is named as its partition', () => {
  for (const [moment, start, name] of [
    ['2026-11-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z', '2026_11'],
    ['2026-11-30T23:59:59.999Z', '2026-11-01T00:00:00.000Z', '2026_11'],
    ['2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00.000Z', '2026_12'],
    ['2027-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z', '2027_01'],
  ] as const) {
    const month = monthOf(at(moment));
    assert.deepEqual([text(startOf(month)), monthName(month), parseMonth(name)], [start, name, month]);
  }
  for (const name of ['default', '2026_13', '2026_00', '2026-11', '02026_11', '']) assert.equal(parseMonth(name), undefined);
});

test('history is kept for so many full months besides the one that runs', () => {
  for (const [now, months, from] of [
    ['2026-11-24T12:00:00.000Z', 1, '2026-10-01T00:00:00.000Z'],
    ['2026-11-01T00:00:00.000Z', 1, '2026-10-01T00:00:00.000Z'],
    ['2026-10-31T23:59:59.999Z', 1, '2026-09-01T00:00:00.000Z'],
    ['2026-03-31T12:00:00.000Z', 12, '2025-03-01T00:00:00.000Z'],
    ['2026-01-15T00:00:00.000Z', 1200, '1926-01-01T00:00:00.000Z'],
  ] as const)
    assert.equal(text(keptFrom(at(now), months)), from);
});

test('months ahead begin with the one that runs', () => {
  assert.deepEqual(monthsAhead(at('2026-11-24T12:00:00.000Z'), 2).map(monthName), ['2026_11', '2026_12', '2027_01']);
});
