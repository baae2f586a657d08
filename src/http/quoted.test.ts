import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quoted } from './quoted.ts';

test('a value is quoted short enough for a message, and as well-formed text', () => {
  assert.equal(quoted('a'.repeat(60)), `"${'a'.repeat(60)}"`);
  assert.equal(quoted('a'.repeat(61)), `"${'a'.repeat(60)}… (61 characters)"`);
  assert.equal(quoted(`a\ud800"`), '"a\\ud800\\""');
  assert.equal(quoted(Infinity), 'Infinity');
  assert.equal(quoted('🌈'.repeat(61)), `"${'🌈'.repeat(60)}… (61 characters)"`);
  assert.equal(quoted([1, 2]), 'a list of 2');
  assert.equal(quoted({}), 'an object');
  assert.equal(quoted(null), 'null');
  assert.equal(quoted(undefined), 'nothing');
  assert.equal(quoted(1.5), '1.5');
});
