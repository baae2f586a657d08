import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lastMoment } from '../timeline/facts.ts';
import { momentText, parseAnyMomentText, parseMomentText } from './moments.ts';

test('reads what PostgreSQL prints, which leaves out zeros at the end of a fraction', () => {
  assert.equal(parseMomentText('2026-11-23 10:00:00+00'), Date.parse('2026-11-23T10:00:00.000Z'));
  assert.equal(parseMomentText('2026-11-23 10:00:00.1+00'), Date.parse('2026-11-23T10:00:00.100Z'));
  assert.equal(parseMomentText('2026-11-23 10:00:00.12+00'), Date.parse('2026-11-23T10:00:00.120Z'));
  assert.equal(parseMomentText('2026-11-23 10:00:00.001+00'), Date.parse('2026-11-23T10:00:00.001Z'));
  assert.equal(parseMomentText('9999-12-31 23:59:59.999+00'), lastMoment);
  assert.equal(parseMomentText('infinity'), Infinity);
  assert.equal(parseMomentText('-infinity'), -Infinity);
});

test('refuses what is no whole millisecond in UTC, rather than lose something', () => {
  for (const text of [
    '2026-11-23 10:00:00.1234+00',
    '2026-11-23 10:00:00+03',
    '2026-11-23 10:00:00+00 BC',
    '2026-11-23T10:00:00Z',
    '',
  ]) {
    assert.throws(() => parseMomentText(text), /not a whole millisecond in UTC/, text);
  }
});

test('where nothing is taken for granted, what is no whole millisecond comes as no whole number', () => {
  const whole = Date.parse('2026-11-23T10:00:00.120Z');
  assert.equal(parseAnyMomentText('2026-11-23 10:00:00.12+00'), whole);
  assert.equal(parseAnyMomentText('2026-11-23 10:00:00.1205+00'), whole + 0.5);
  assert.equal(parseAnyMomentText('infinity'), Infinity);
  for (const text of ['10000-01-01 00:00:00+00', '0044-03-15 10:00:00+00 BC', '2026-11-23 10:00:00+03'])
    assert.equal(parseAnyMomentText(text), NaN, text);
});

test('a moment before 1970 is sent as older than anything, an end that never comes as infinity', () => {
  assert.equal(momentText(-1), '-infinity');
  assert.equal(momentText(-Infinity), '-infinity');
  assert.equal(momentText(Infinity), 'infinity');
  assert.equal(momentText(0), '1970-01-01T00:00:00.000Z');
});

test('every moment that is stored comes back as it was sent', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: lastMoment }), (moment) => {
      assert.equal(parseMomentText(printed(momentText(moment))), moment);
    }),
    { numRuns: 2_000 },
  );
});

/** As PostgreSQL prints it with `TimeZone=UTC` and `DateStyle=ISO`. */
const printed = (text: string) => text.replace('T', ' ').replace(/\.?0*Z$/, '+00');
