import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lastMoment } from '../timeline/facts.ts';
import { endText, momentText, parseMoment } from './moment.ts';

const yearZero = Date.parse('0000-01-01T00:00:00.000Z');

test('reads RFC 3339 in any of its spellings', () => {
  const spellings: [text: string, inUtc: string][] = [
    ['2026-11-23T10:00:00Z', '2026-11-23T10:00:00.000Z'],
    ['2026-11-23t10:00:00z', '2026-11-23T10:00:00.000Z'],
    ['2026-11-23T10:00:00.5Z', '2026-11-23T10:00:00.500Z'],
    ['2026-11-23T10:00:00.05Z', '2026-11-23T10:00:00.050Z'],
    ['2026-11-23T10:00:00.123Z', '2026-11-23T10:00:00.123Z'],
    ['2026-11-23T10:00:00+00:00', '2026-11-23T10:00:00.000Z'],
    ['2026-11-23T10:00:00-00:00', '2026-11-23T10:00:00.000Z'],
    ['2026-11-23T10:00:00+03:00', '2026-11-23T07:00:00.000Z'],
    ['2026-11-23T10:00:00-03:30', '2026-11-23T13:30:00.000Z'],
    ['2026-11-23T10:00:00+23:59', '2026-11-22T10:01:00.000Z'],
    ['2026-11-23T10:00:00-23:59', '2026-11-24T09:59:00.000Z'],
    ['2026-01-01T00:30:00.001+01:00', '2025-12-31T23:30:00.001Z'],
    ['2024-02-29T23:59:59.999Z', '2024-02-29T23:59:59.999Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z'],
  ];
  for (const [text, inUtc] of spellings) assert.equal(read(text), inUtc, text);
});

test('refuses days and times that do not exist', () => {
  const days = ['2026-02-30', '2026-02-29', '1900-02-29', '2026-04-31', '2026-00-10', '2026-13-01', '2026-01-00', '2026-01-32'];
  for (const day of days) assert.equal(parseMoment(`${day}T00:00:00Z`), undefined, day);
  const times = ['24:00:00', '23:60:00', '99:00:00', '10:00:61'];
  for (const time of times) assert.equal(parseMoment(`2026-11-23T${time}Z`), undefined, time);
  for (const offset of ['+24:00', '-24:00', '+00:60', '+99:99'])
    assert.equal(parseMoment(`2026-11-23T10:00:00${offset}`), undefined, offset);
});

test('refuses a leap second: it has no moment of its own here', () => {
  assert.equal(parseMoment('2016-12-31T23:59:60Z'), undefined);
  assert.equal(parseMoment('2017-01-01T00:59:60+01:00'), undefined);
});

test('takes fractions finer than a millisecond only where they are zeros', () => {
  assert.equal(read('2026-11-23T10:00:00.123000Z'), '2026-11-23T10:00:00.123Z');
  assert.equal(read('2026-11-23T10:00:00.120000000Z'), '2026-11-23T10:00:00.120Z');
  for (const finer of ['.1234', '.0001', '.123000001', '.9999']) {
    assert.equal(parseMoment(`2026-11-23T10:00:00${finer}Z`), undefined, finer);
  }
});

test('refuses what is no RFC 3339 text', () => {
  const texts = [
    '',
    '2026-11-23',
    '2026-11-23T10:00Z',
    '2026-11-23T10:00:00',
    '2026-11-23 10:00:00Z',
    '2026-11-23T10:00:00.Z',
    '2026-11-23T10:00:00,5Z',
    '2026-11-23T10:00:00+0300',
    '2026-11-23T10:00:00+03',
    '2026-11-23T10:00:00 03:00',
    '2026-11-23T10:00:00\u221203:00', // the minus of ISO 8601
    '2026-1-23T10:00:00Z',
    '20261123T100000Z',
    '+02026-11-23T10:00:00Z',
    '-0001-01-01T00:00:00Z',
    '2026-11-23T10:00:00Z\n',
    ' 2026-11-23T10:00:00Z',
    '２０２６-11-23T10:00:00Z',
    '1795428000000',
    'now',
    'infinity',
  ];
  for (const text of texts) assert.equal(parseMoment(text), undefined, JSON.stringify(text));
});

test('a year below 100 is that year, from the year 0 on', () => {
  assert.equal(parseMoment('0000-01-01T00:00:00Z'), yearZero);
  assert.equal(read('0000-02-29T00:00:00Z'), '0000-02-29T00:00:00.000Z');
  assert.equal(read('0099-12-31T23:59:59Z'), '0099-12-31T23:59:59.000Z');
  assert.equal(read('0000-01-01T00:00:00-00:01'), '0000-01-01T00:01:00.000Z');
  assert.equal(parseMoment('0000-01-01T00:00:00+00:01'), undefined);
});

test('the last moment is the last millisecond of the year 9999 in UTC, whatever the offset says', () => {
  assert.equal(parseMoment('9999-12-31T23:59:59.999Z'), lastMoment);
  assert.equal(read('9999-12-31T23:59:59.999+23:59'), '9999-12-31T00:00:59.999Z');
  assert.equal(parseMoment('9999-12-31T23:59:59.999-00:01'), undefined);
  assert.equal(parseMoment('9999-12-31T23:58:59.999-00:01'), lastMoment);
  assert.equal(parseMoment('10000-01-01T00:00:00Z'), undefined);
});

test('the text of any moment reads back as that moment', () => {
  const moments = fc.integer({ min: yearZero, max: lastMoment });
  fc.assert(
    fc.property(moments, (moment) => assert.equal(parseMoment(momentText(moment)), moment)),
    { numRuns: 2_000 },
  );
});

test('a moment written with any offset is the same moment', () => {
  const day = 86_400_000;
  const moments = fc.integer({ min: yearZero + day, max: lastMoment - day });
  fc.assert(
    fc.property(moments, fc.integer({ min: -1439, max: 1439 }), (moment, offsetMinutes) => {
      assert.equal(parseMoment(textWithOffset(moment, offsetMinutes)), moment);
    }),
    { numRuns: 2_000 },
  );
});

test('an end that never comes is null', () => {
  assert.equal(endText(Infinity), null);
  assert.equal(endText(null), null);
  assert.equal(endText(0), '1970-01-01T00:00:00.000Z');
  assert.equal(endText(lastMoment), '9999-12-31T23:59:59.999Z');
});

function read(text: string): string | undefined {
  const moment = parseMoment(text);
  return moment === undefined ? undefined : momentText(moment);
}

function textWithOffset(moment: number, offsetMinutes: number): string {
  const local = new Date(moment + offsetMinutes * 60_000).toISOString().slice(0, -1);
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.abs(offsetMinutes);
  return `${local}${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
