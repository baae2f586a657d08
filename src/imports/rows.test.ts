import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { type Row, type RowFormat, rowReader } from './rows.ts';

/** Read in pieces of so many bytes. */
function read(format: RowFormat, file: string | Buffer, size = 1_000_000): Row[] {
  const bytes = Buffer.from(file as string);
  const reader = rowReader(format);
  const rows: Row[] = [];
  for (let at = 0; at < bytes.length; at += size) rows.push(...reader.push(bytes.subarray(at, at + size)));
  return [...rows, ...reader.end()];
}
const told = (rows: Row[]) => rows.map(({ line, value, reason }) => `${line} ${reason ?? 'ok'} ${value}`);

test('a byte order mark, CRLF, quotes, a header, blank lines and spaces around are no trouble', () => {
  const file = '\u{feff}user_id\r\n\r\n  a \r\n"b"\r\n" c "\t\r\n"d,e"\r\n"f""g"\r\nlast';
  assert.deepEqual(told(read('csv', file)), ['3 ok a', '4 ok b', '5 ok c', '6 ok d,e', '7 ok f"g', '8 ok last']);
});

test('plain text is literal: a header is an id, and so are quotes and commas', () => {
  assert.deepEqual(told(read('plain', 'user_id\n"a"\nb,c\n\\.\n')), ['1 ok user_id', '2 ok "a"', '3 ok b,c', '4 ok \\.']);
});

test('a line that is no id is told as it came, and costs no other line', () => {
  const long = 'x'.repeat(129);
  const rows = told(read('csv', `a b\n..\n${long}\nä\n\0\na,b\n,\n"a"b\na"b\nok\n`));
  assert.deepEqual(rows, [
    '1 invalid_user_id a b',
    '2 invalid_user_id ..',
    `3 invalid_user_id ${long}`,
    '4 invalid_user_id ä',
    '5 invalid_user_id \u{fffd}',
    '6 too_many_columns a,b',
    '7 too_many_columns ,',
    '8 invalid_user_id "a"b',
    '9 invalid_user_id a"b',
    '10 ok ok',
  ]);
});

test('a quote that is never closed is one broken line; one that spans lines is one row', () => {
  assert.deepEqual(told(read('csv', '"open\nb\n"c"\nd\n')), ['1 invalid_user_id "open', '2 ok b', '3 ok c', '4 ok d']);
  assert.deepEqual(told(read('csv', 'a\n"x\ny"\nb\n')), ['1 ok a', '2 invalid_user_id "x\ny"\n', '4 ok b']);
});

test('a line without an end is cut, and the next one is read', () => {
  const rows = read('csv', `${'y'.repeat(1_000_000)}\nnext\n`, 10_000);
  assert.deepEqual(
    rows.map(({ line, reason }) => [line, reason]),
    [
      [1, 'invalid_user_id'],
      [2, null],
    ],
  );
  assert.equal(rows[0]!.value.length, 256);
});

const id = fc.stringMatching(/^[!-~]{1,128}$/).filter((text) => text !== '.' && text !== '..');

test('what csv-stringify writes is read back, wherever the pieces are cut', () => {
  fc.assert(
    fc.property(
      fc.array(id, { minLength: 1 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom('\n', '\r\n'),
      (ids, size, end) => {
        const file = stringify([['user_id'], ...ids.map((one) => [one])], { record_delimiter: end });
        assert.deepEqual(
          read('csv', file, size),
          ids.map((value, i) => ({ line: i + 2, value, reason: null })),
        );
      },
    ),
  );
});

test('any bytes at all are read the same wherever they are cut, and every line that is no blank is told once', () => {
  const bytes = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', ' ', 'a', 'ü', '\0', '\\'), maxLength: 60 });
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 10 }), fc.constantFrom<RowFormat>('csv', 'plain'), (file, size, format) => {
      const whole = read(format, file);
      assert.deepEqual(read(format, file, size), whole);
      const lines = whole.map(({ line }) => line);
      assert.deepEqual(
        lines,
        [...new Set(lines)].toSorted((a, b) => a - b),
      );
      if (format === 'plain') {
        const filled = Buffer.from(file)
          .toString('latin1')
          .split('\n')
          .filter((line) => line.replaceAll(/^[ \t]+|[ \t\r]+$/g, '') !== '');
        assert.equal(whole.length, filled.length);
      }
    }),
  );
});

test('spaces in the middle of a long line are part of it, and those around it are not', () => {
  const inside = `a${' '.repeat(60_000)}b`;
  const rows = read('csv', ` \t${inside} \r\n\t b\t \r\n`, 10_000);
  assert.deepEqual(
    rows.map(({ line, reason }) => [line, reason]),
    [
      [1, 'invalid_user_id'],
      [2, null],
    ],
  );
  assert.equal(rows[0]!.value.slice(0, 10), inside.slice(0, 10));
  assert.equal(rows[1]!.value, 'b');
});
