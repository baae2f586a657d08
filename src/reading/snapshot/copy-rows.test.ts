import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { copyBytes, type CopiedRow, copyHeader, copyRow, copyTrailer } from '../../../test/support/copy-bytes.ts';
import { lastMoment } from '../../timeline/facts.ts';
import { copyRows } from './copy-rows.ts';

/** The rows told of a stream that came in these pieces. */
function readAll(pieces: Iterable<Buffer>): CopiedRow[] {
  const { rows, reader } = listening();
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return rows;
}

function listening() {
  const rows: CopiedRow[] = [];
  const reader = copyRows((bytes, idFrom, idTo, segmentId, excluded, startsAt, endsAt) =>
    rows.push({ userId: bytes.toString('latin1', idFrom, idTo), segmentId, excluded, startsAt, endsAt }),
  );
  return { rows, reader };
}

/** The bytes in pieces of a length. */
const inPieces = (bytes: Buffer, length: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / length) }, (_, i) => bytes.subarray(i * length, (i + 1) * length));

const row = (more: Partial<CopiedRow> = {}): CopiedRow => ({
  userId: 'user-1',
  segmentId: 1,
  excluded: false,
  startsAt: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  endsAt: Infinity,
  ...more,
});

const rows = [
  row({ userId: 'u' }),
  row({ userId: 'z'.repeat(128), segmentId: 2 ** 30 - 1, excluded: true, startsAt: 1, endsAt: lastMoment }),
  row({ segmentId: 2 ** 24 + 5, endsAt: Date.UTC(2026, 5) }),
];

/** Of the first two rows, by PostgreSQL 18: `copy (select * from (values ('u', 1, false, '2026-01-02 03:04:05.678Z', …` */
const byPostgres = Buffer.from(
  '5047434f50590aff0d0a00' +
    '0000000000000000' +
    '0005000000017500000004000000010000000100000000080002ea5dbb1f6bb0000000087fffffffffffffff' +
    `000500000080${'7a'.repeat(128)}` +
    '000000043fffffff000000010100000008fffca2fec4c823e8000000080380e70b913b7c18' +
    'ffff',
  'hex',
);

test('what PostgreSQL sends is read: infinity, moments before 2000 and of the year 9999, ids of 1 and 128 bytes', () => {
  assert.deepEqual(readAll([byPostgres]), rows.slice(0, 2));
  assert.deepEqual(copyBytes(rows.slice(0, 2)), byPostgres, 'and the bytes of these tests are such');
});

test('it makes no difference where a stream is cut, once or twice', () => {
  const bytes = copyBytes(rows);
  for (let first = 0; first <= bytes.length; first++) {
    assert.deepEqual(readAll([bytes.subarray(0, first), bytes.subarray(first)]), rows, `cut at ${first}`);
  }
  const short = copyBytes([row({ userId: 'a' }), row({ userId: 'b' })], Buffer.from('more'));
  for (let first = 0; first <= short.length; first++) {
    for (let second = first; second <= short.length; second++) {
      const pieces = [short.subarray(0, first), short.subarray(first, second), short.subarray(second)];
      assert.equal(
        readAll(pieces)
          .map(({ userId }) => userId)
          .join(),
        'a,b',
        `cut at ${first} and ${second}`,
      );
    }
  }
});

test('pieces of any one length will do, also of a single byte', () => {
  const bytes = copyBytes(rows);
  for (let length = 1; length <= bytes.length; length++) assert.deepEqual(readAll(inPieces(bytes, length)), rows, `of ${length}`);
});

test('a row is told as soon as its last byte is there, and not before', () => {
  const { rows: told, reader } = listening();
  const bytes = copyRow(rows[0]!);
  reader.push(copyHeader());
  reader.push(bytes.subarray(0, -1));
  assert.equal(told.length, 0);
  reader.push(bytes.subarray(-1));
  assert.equal(told.length, 1);
});

test('an extension of the header is skipped, wherever it is cut', () => {
  for (const length of [1, 4, 100]) {
    const extension = Buffer.alloc(length, copyTrailer); // would end the stream, were it taken for rows
    const bytes = copyBytes(rows, extension);
    for (let cut = 0; cut <= 19 + length + 10; cut++) {
      assert.deepEqual(readAll([bytes.subarray(0, cut), bytes.subarray(cut)]), rows, `${length} bytes, cut at ${cut}`);
    }
    assert.deepEqual(readAll(inPieces(bytes, 1)), rows);
  }
});

test('a table without rows has a header and a trailer', () => {
  assert.deepEqual(readAll([copyBytes([])]), []);
  assert.deepEqual(readAll(inPieces(copyBytes([]), 1)), []);
});

test('a stream that breaks off anywhere before its trailer is known to have done so', () => {
  const bytes = copyBytes(rows);
  for (let length = 0; length < bytes.length; length++) {
    for (const pieces of [[bytes.subarray(0, length)], inPieces(bytes.subarray(0, length), 7)]) {
      assert.throws(() => readAll(pieces), /COPY ended in the middle/, `after ${length} bytes`);
    }
  }
});

test('what is not the binary format is refused, whole or in pieces', () => {
  const bytes = copyBytes(rows);
  for (let at = 0; at < 11; at++) {
    const other = Buffer.from(bytes);
    other[at]! ^= 0x20;
    assert.throws(() => readAll([other]), /not the binary format/, `byte ${at}`);
    assert.throws(() => readAll(inPieces(other, 1)), /not the binary format/, `byte ${at}`);
  }
  assert.throws(() => readAll([Buffer.from('u\t1\tf\t2026-01-02 03:04:05.678+00\tinfinity\n')]), /not the binary format/);
});

test('a row of another number of fields is refused', () => {
  for (const fields of [0, 4, 6, -2]) {
    const other = copyRow(rows[0]!);
    other.writeInt16BE(fields);
    const stream = Buffer.concat([copyHeader(), copyRow(rows[1]!), other, copyTrailer]);
    assert.throws(() => readAll([stream]), new RegExp(`has ${fields} fields, not 5`));
  }
});

test('any row comes back as it was, its moments to the millisecond', () => {
  const moment = fc.oneof(
    fc.integer({ min: 0, max: lastMoment }),
    fc.integer({ min: lastMoment - 100_000, max: lastMoment }),
    fc.integer({ min: -2_000, max: 2_000 }).map((offset) => Date.UTC(2000, 0, 1) + offset),
  );
  const anyRow = fc.record({
    userId: fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((unit) => String.fromCharCode(unit)),
      minLength: 1,
      maxLength: 128,
    }),
    segmentId: fc.integer({ min: 1, max: 2 ** 30 - 1 }),
    excluded: fc.boolean(),
    startsAt: moment,
    endsAt: fc.oneof(moment, fc.constant(Infinity)),
  });
  fc.assert(
    fc.property(fc.array(anyRow), fc.integer({ min: 1, max: 300 }), (some, length) => {
      assert.deepEqual(
        readAll(inPieces(copyBytes(some), length)),
        some.map((one) => ({ ...one })),
      );
    }),
    { numRuns: 200 },
  );
});
