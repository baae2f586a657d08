import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { copyBytes, type CopiedRow } from '../../../test/support/copy-bytes.ts';
import type { Moment } from '../../timeline/facts.ts';
import { tableLoader } from './loading.ts';
import { MembershipTable } from './table.ts';
import { WordList, writeWords } from './words.ts';

const moment: Moment = Date.UTC(2026, 0);

/** A table of what came in these pieces. */
function loaded(pieces: Iterable<Buffer>): MembershipTable {
  const table = new MembershipTable(7);
  const loader = tableLoader(table, moment);
  for (const piece of pieces) loader.push(piece);
  loader.end();
  return table;
}

const wordsIn = (table: MembershipTable, userId: string): number[] | undefined =>
  table.find(userId) ? [...table.found.subarray(table.from, table.to)] : undefined;

/** What the table must hold of users, from their rows and the pure function alone; nothing of those with no words. */
function expectedOf(rows: readonly CopiedRow[]): Map<string, number[]> {
  const list = new WordList();
  const expected = new Map<string, number[]>();
  for (const [userId, stays] of Map.groupBy(rows, (row) => row.userId)) {
    writeWords(list, stays, stays.length, moment);
    if (list.length > 0) expected.set(userId, [...list.words.subarray(0, list.length)]);
  }
  return expected;
}

function assertHolds(table: MembershipTable, rows: readonly CopiedRow[], message?: string) {
  const expected = expectedOf(rows);
  assert.equal(table.users, expected.size, message);
  for (const { userId } of rows) assert.deepEqual(wordsIn(table, userId), expected.get(userId), message ?? userId);
}

const row = (userId: string, segmentId: number, more: Partial<CopiedRow> = {}): CopiedRow => ({
  userId,
  segmentId,
  excluded: false,
  startsAt: moment - 1000,
  endsAt: Infinity,
  ...more,
});

const rows = [
  row('a', 1),
  row('a', 2, { excluded: true }),
  row('aa', 2),
  row('b', 1, { endsAt: moment }), // over, so of nobody
  row('c', 1, { startsAt: moment - 5000 }),
  row('c', 1, { startsAt: moment, endsAt: moment + 1 }),
  row('c', 1, { startsAt: moment + 5000, excluded: true }),
  row('c', 3),
  row('d'.repeat(127), 4),
  row('d'.repeat(128), 5),
  row('e', 1),
];

test('each user has the words of their own rows, and who has none any more is not there', () => {
  const table = loaded([copyBytes(rows)]);
  assertHolds(table, rows);
  assert.equal(table.users, 6);
  assert.equal(table.find('b'), false);
  assert.deepEqual(wordsIn(table, 'a'), [1 * 4, 2 * 4 + 2]);
});

test('it makes no difference where the stream is cut, in a row or between those of a user', () => {
  const bytes = copyBytes(rows);
  for (let cut = 0; cut <= bytes.length; cut++) {
    assertHolds(loaded([bytes.subarray(0, cut), bytes.subarray(cut)]), rows, `cut at ${cut}`);
  }
  assertHolds(loaded(Array.from(bytes, (byte) => Buffer.of(byte))), rows, 'byte by byte');
});

test('the id of the user under way is kept, though the piece in which it came is written over', () => {
  const whole = copyBytes([row('a', 1), row('a', 2), row('b', 3)]);
  const table = new MembershipTable(7);
  const loader = tableLoader(table, moment);
  const cut = 19 + (2 + 4 + 1 + 8 + 5 + 12 + 12); // behind the header and the first row
  const first = Buffer.from(whole.subarray(0, cut));
  loader.push(first);
  first.fill(0xff);
  loader.push(whole.subarray(cut));
  loader.end();
  assertHolds(table, [row('a', 1), row('a', 2), row('b', 3)]);
});

test('an empty table loads as one without users', () => {
  assert.equal(loaded([copyBytes([])]).users, 0);
});

test('a stream that breaks off is no load, wherever it does', () => {
  const bytes = copyBytes(rows);
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => loaded([bytes.subarray(0, length)]), /COPY ended in the middle/, `after ${length} bytes`);
  }
});

test('any rows sorted by user, segment and start load as what is written of each user', () => {
  const around = fc.integer({ min: -50, max: 50 }).map((offset) => moment + offset);
  const anyRow = fc.record({
    userId: fc.oneof(
      fc.constantFrom('a', 'aa', 'ab', 'abc'),
      fc.integer({ min: 1, max: 128 }).map((length) => 'x'.repeat(length)),
    ),
    segmentId: fc.integer({ min: 1, max: 5 }),
    excluded: fc.boolean(),
    startsAt: around,
    endsAt: fc.oneof(around, fc.constant(Infinity)),
  });
  const key = ({ userId, segmentId, startsAt }: CopiedRow) => `${userId} ${segmentId} ${startsAt}`;
  fc.assert(
    fc.property(
      fc.uniqueArray(anyRow, { selector: key, maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 500 }),
      (some, length) => {
        const sorted = some.sort(
          (a, b) =>
            Number(a.userId > b.userId) - Number(a.userId < b.userId) || a.segmentId - b.segmentId || a.startsAt - b.startsAt,
        );
        const bytes = copyBytes(sorted);
        const pieces = Array.from({ length: Math.ceil(bytes.length / length) }, (_, i) =>
          bytes.subarray(i * length, (i + 1) * length),
        );
        assertHolds(loaded(pieces), sorted);
      },
    ),
    { numRuns: 200 },
  );
});
