import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../timeline/events.ts';
import { reportHeader, reportLines, reportName } from './report.ts';

test('a report is a header line and a line an event, with CRLF at the end of each', () => {
  assert.equal(
    csv('1000', [
      event({ at: '2026-11-03T14:00:00.000Z' }),
      event({ at: '2026-11-05T14:00:00.001Z', operation: 'remove', cause: 'ttl' }),
      event({ at: '2026-11-30T23:59:59.999Z', segment: 'AVITO_DISCOUNT_50', cause: 'import' }),
    ]),
    'user_id,segment,operation,at,cause\r\n' +
      '1000,AVITO_VOICE_MESSAGES,add,2026-11-03T14:00:00.000Z,request\r\n' +
      '1000,AVITO_VOICE_MESSAGES,remove,2026-11-05T14:00:00.001Z,ttl\r\n' +
      '1000,AVITO_DISCOUNT_50,add,2026-11-30T23:59:59.999Z,import\r\n',
  );
});

test('a month without events is the header line alone', () => {
  assert.equal(csv('1000', []), 'user_id,segment,operation,at,cause\r\n');
});

test('an id with a comma or a quote is quoted as RFC 4180 says', () => {
  assert.equal(firstCell('a,b'), '"a,b"');
  assert.equal(firstCell('say"hi"'), '"say""hi"""');
  assert.equal(firstCell('"'), '""""');
});

test('any other id stands as it is, also one that a spreadsheet would alter or run', () => {
  for (const userId of ['0007', '1e5', '=1+1', '+1', '-1', '@SUM', "'", ';', '\\', '#', '%2C', 'null']) {
    assert.equal(firstCell(userId), userId);
  }
});

test('any id can be read back from its line', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[!-~]{1,128}$/), (userId) => {
      const cell = firstCell(userId);
      assert.equal(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell, userId);
      assert.equal(cell.startsWith('"'), /[",]/.test(userId));
    }),
  );
});

test('for a spreadsheet an apostrophe stands before what it would run, and every id is in quotes', () => {
  for (const userId of ['=1+1', '+1', '-1', '@SUM(A1)']) assert.equal(firstCell(userId, true), `"'${userId}"`);
  assert.equal(firstCell('=HYPERLINK("x","y")', true), `"'=HYPERLINK(""x"",""y"")"`);
  // Divided at the list separator of another country, the second part would be a formula; quotes keep it one.
  assert.equal(firstCell('a;=1+1', true), '"a;=1+1"');
  for (const userId of ['0007', '1e5', "'", 'a=1']) assert.equal(firstCell(userId, true), `"${userId}"`);
});

test('the file name has the user and the month, and nothing that a system or a header could mistake', () => {
  assert.equal(reportName(ofUser('1000'), '2026-11'), 'segmentd-1000-2026-11.csv');
  assert.equal(reportName(ofUser('../a b/"c";d\\e'), '2026-11'), 'segmentd-.._a_b__c__d_e-2026-11.csv');
  assert.equal(reportName({ kind: 'all' }, '2026-11'), 'segmentd-2026-11.csv');
  assert.equal(reportName({ kind: 'segment', slug: 'A.b' }, '2026-11'), 'segmentd-segment-A.b-2026-11.csv');
});

const ofUser = (userId: string) => ({ kind: 'user', userId }) as const;

const csv = (userId: string, events: Event[], isForSpreadsheet = false) =>
  reportHeader + reportLines(userId, events, isForSpreadsheet);

/** The user's cell of a line whose other cells are known. */
function firstCell(userId: string, isForSpreadsheet = false): string {
  const line = csv(userId, [event({ at: '2026-11-03T14:00:00.000Z' })], isForSpreadsheet).split('\r\n')[1]!;
  return line.slice(0, -',AVITO_VOICE_MESSAGES,add,2026-11-03T14:00:00.000Z,request'.length);
}

function event({ at, ...rest }: Partial<Omit<Event, 'at'>> & { at: string }): Event {
  return { segment: 'AVITO_VOICE_MESSAGES', operation: 'add', cause: 'request', actor: 'analytics', ...rest, at: Date.parse(at) };
}
