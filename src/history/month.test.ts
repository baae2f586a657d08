import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTimeZone, monthIn } from './month.ts';

const hour = 3_600_000;

test('a month in UTC is from midnight of its 1st to midnight of the next', () => {
  assert.deepEqual(monthIn('2026-11', 'UTC'), { from: at('2026-11-01T00:00:00Z'), to: at('2026-12-01T00:00:00Z') });
  assert.deepEqual(monthIn('2026-12', 'UTC'), { from: at('2026-12-01T00:00:00Z'), to: at('2027-01-01T00:00:00Z') });
  assert.equal(hoursOf('2024-02', 'UTC'), 29 * 24);
  assert.equal(hoursOf('2100-02', 'UTC'), 28 * 24);
});

test('a month in a time zone begins with its 1st there', () => {
  assert.deepEqual(monthIn('2026-11', 'Asia/Kathmandu'), { from: at('2026-10-31T18:15:00Z'), to: at('2026-11-30T18:15:00Z') });
  assert.deepEqual(monthIn('2026-01', 'Pacific/Kiritimati'), {
    from: at('2025-12-31T10:00:00Z'),
    to: at('2026-01-31T10:00:00Z'),
  });
});

test('a month in which a clock goes forward is an hour shorter, one in which it goes back an hour longer', () => {
  assert.deepEqual(monthIn('2026-03', 'Europe/Amsterdam'), { from: at('2026-02-28T23:00:00Z'), to: at('2026-03-31T22:00:00Z') });
  assert.deepEqual(monthIn('2026-10', 'Europe/Amsterdam'), { from: at('2026-09-30T22:00:00Z'), to: at('2026-10-31T23:00:00Z') });
  assert.equal(hoursOf('2026-03', 'Europe/Amsterdam'), 31 * 24 - 1);
  assert.equal(hoursOf('2026-10', 'Europe/Amsterdam'), 31 * 24 + 1);
  assert.equal(hoursOf('2024-10', 'Australia/Lord_Howe'), 31 * 24 - 0.5);
});

test('where the clock goes forward at midnight of the 1st, the month begins at 01:00 there', () => {
  // Paraguay, 1 October 2017: 00:00-04:00 never came, 01:00-03:00 is the first instant. Cuba, 1 April 2001, likewise.
  assert.equal(monthIn('2017-10', 'America/Asuncion').from, at('2017-10-01T01:00:00-03:00'));
  assert.equal(monthIn('2017-09', 'America/Asuncion').to, at('2017-10-01T01:00:00-03:00'));
  assert.equal(monthIn('2001-04', 'America/Havana').from, at('2001-04-01T01:00:00-04:00'));
});

test('where midnight of the 1st comes twice, the month begins with the first of the two', () => {
  // Cuba, 1 November 2015: at 01:00-04:00 the clock went back to 00:00-05:00.
  assert.equal(monthIn('2015-11', 'America/Havana').from, at('2015-11-01T00:00:00-04:00'));
  // Newfoundland, 1 November 2009: at 00:01 it went back to 23:01 of 31 October. The first instant of the 1st stays the bound.
  assert.equal(monthIn('2009-11', 'America/St_Johns').from, at('2009-11-01T00:00:00-02:30'));
});

test('a zone that skipped a day has a month without it', () => {
  // Samoa had no 30 December 2011, Kiritimati no 31 December 1994.
  assert.deepEqual(monthIn('2011-12', 'Pacific/Apia'), {
    from: at('2011-12-01T00:00:00-10:00'),
    to: at('2012-01-01T00:00:00+14:00'),
  });
  assert.equal(hoursOf('2011-12', 'Pacific/Apia'), 30 * 24);
  assert.equal(monthIn('1994-12', 'Pacific/Kiritimati').to, at('1995-01-01T00:00:00+14:00'));
  assert.equal(hoursOf('1994-12', 'Pacific/Kiritimati'), 30 * 24);
});

test('the first and the last months that can be asked for have bounds', () => {
  assert.equal(monthIn('1970-01', 'Europe/Amsterdam').from, -hour);
  assert.equal(monthIn('9999-12', 'UTC').to, at('9999-12-31T23:59:59.999Z') + 1);
});

test('the months of a zone follow each other without a gap or an overlap', () => {
  const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
  fc.assert(
    fc.property(zones, fc.integer({ min: 1970 * 12, max: 2100 * 12 }), (zone, month) => {
      const [one, next] = [monthIn(nameOf(month), zone), monthIn(nameOf(month + 1), zone)];
      assert.equal(one.to, next.from);
      const days = new Date(Date.UTC(Math.floor(month / 12), (month % 12) + 1, 0)).getUTCDate();
      assert.ok(Math.abs((one.to - one.from) / hour - days * 24) <= 24, `${(one.to - one.from) / hour} hours`);
    }),
    { numRuns: 1_000 },
  );
});

test('knows every zone of the time-zone database, by old names and new, in any case', () => {
  for (const name of [
    ...Intl.supportedValuesOf('timeZone'),
    'UTC',
    'Etc/GMT+3',
    'GMT',
    'Asia/Calcutta',
    'Asia/Kolkata',
    'US/Pacific',
    'europe/amsterdam',
  ]) {
    assert.equal(isTimeZone(name), true, name);
    assert.ok(hoursOf('2026-11', name) > 0, name);
  }
});

test('refuses names that are of no zone', () => {
  const names = [
    '',
    'Mars/Olympus',
    'Europe',
    'Europe/',
    'Europe/Amsterdam ',
    ' UTC',
    'America/Argentina',
    'Etc/Unknown',
    'Z',
    'local',
  ];
  for (const name of names) assert.equal(isTimeZone(name), false, JSON.stringify(name));
});

test('refuses offsets: they are no zone', () => {
  for (const name of ['+03:00', '-03:00', '+03', '+0300', '\u221203:00', 'GMT+3', 'UTC+03:00'])
    assert.equal(isTimeZone(name), false, name);
});

test('a name that it knows always has a month: abbreviations of the runtime are not taken for zones', () => {
  // V8's own library takes them, as zones of its own choice; the time-zone database has none of them.
  for (const name of ['PST', 'IST', 'BST', 'JST', 'CST', 'ACT', 'AET', 'ECT', 'SST', 'VST'])
    assert.equal(isTimeZone(name), false, name);
});

const at = (text: string) => Date.parse(text);

function hoursOf(month: string, zone: string): number {
  const { from, to } = monthIn(month, zone);
  return (to - from) / hour;
}

const nameOf = (month: number) => `${Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}`;
