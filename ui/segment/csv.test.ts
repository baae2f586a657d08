import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvLines } from './csv.ts';

test('reads cells with commas, quotes and line breaks in them', () => {
  const text =
    'line,value,reason\r\n3,10 02,invalid_user_id\r\n4,"a,b",too_many_columns\r\n5,"say ""x""\r\ny",invalid_user_id\r\n';
  assert.deepEqual(csvLines(text, 10), [
    ['3', '10 02', 'invalid_user_id'],
    ['4', 'a,b', 'too_many_columns'],
    ['5', 'say "x"\r\ny', 'invalid_user_id'],
  ]);
});

test('reads no more than asked for, and an empty cell', () => {
  assert.deepEqual(csvLines('line,value,reason\r\n1,,x\r\n2,b,x\r\n3,c,x\r\n', 2), [
    ['1', '', 'x'],
    ['2', 'b', 'x'],
  ]);
});
