import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { murmur3 } from './murmur3.ts';

// The oracle brings no types, and it takes bytes.
const require = createRequire(import.meta.url);
const published: { x86: { hash32(bytes: Uint8Array): number } } = require('murmurhash3js-revisited');
const oracle = (text: string) => published.x86.hash32(Buffer.from(text, 'utf8'));

test('gives the published hashes of MurmurHash3 x86 32 with seed 0', () => {
  // From the vectors that ports of smhasher share (stackoverflow.com/a/31929528, hash_tests.cpp of Bitcoin Core), those whose
  // bytes are ASCII.
  const vectors: [text: string, hash: number][] = [
    ['', 0],
    ['\0', 0x514e28b7],
    ['\0\0', 0x30f4c306],
    ['\0\0\0', 0x85f0b427],
    ['\0\0\0\0', 0x2362f9de],
    ['\x21', 0x72661cf4],
    ['\x21\x43', 0xa0f7b07a],
    ['\x21\x43\x65', 0x7e4a8634],
    ['\x00\x11', 0x16c6b7ab],
    ['\x00\x11\x22', 0x8eb51c3d],
    ['\x00\x11\x22\x33', 0xb4471bf8],
    ['test', 0xba6bd213],
    ['Hello, world!', 0xc0363e43],
    ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
  ];
  for (const [text, hash] of vectors) assert.equal(murmur3(text), hash, JSON.stringify(text));
});

test('agrees with a published implementation at every length from 0 to 40, ASCII or not', () => {
  for (let length = 0; length <= 40; length++) {
    for (const letters of ['abcdefghij', 'zÿ', 'аб', '日本', '🌈', 'a\u{7f}\u{80}', '\u{80}', 'ab𝒜é']) {
      const text = letters.repeat(40).slice(0, length); // may cut a surrogate pair in two
      assert.equal(murmur3(text), oracle(text), JSON.stringify(text));
    }
  }
});

test('agrees with a published implementation on any ASCII text', () => {
  const ascii = fc.string({ unit: 'binary-ascii', maxLength: 300 });
  fc.assert(
    fc.property(ascii, (text) => assert.equal(murmur3(text), oracle(text))),
    { numRuns: 5_000 },
  );
});

test('agrees with a published implementation on any Unicode text, over its UTF-8 bytes', () => {
  const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), mostlyAscii);
  fc.assert(
    fc.property(anyText, (text) => assert.equal(murmur3(text), oracle(text))),
    { numRuns: 5_000 },
  );
});

test('takes a lone surrogate, which has no UTF-8 bytes, as U+FFFD', () => {
  for (const lone of ['\ud83c', '\udf08', '\udf08\ud83c']) {
    const replaced = '\ufffd'.repeat(lone.length);
    for (const [before, after] of [
      ['', ''],
      ['abc', ''],
      ['', 'abcd'],
      ['id-', '-7'],
    ] as const) {
      assert.equal(murmur3(before + lone + after), murmur3(before + replaced + after));
    }
  }
  const anyUnits = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));
  fc.assert(
    fc.property(anyUnits, (text) => assert.equal(murmur3(text), oracle(text.toWellFormed()))),
    { numRuns: 5_000 },
  );
});

test('answers an unsigned 32-bit integer', () => {
  fc.assert(fc.property(fc.string(), (text) => assert.equal(murmur3(text), murmur3(text) >>> 0)));
});

/** One character beyond ASCII at any place: where a hash over code units would be taken for one over bytes. */
const mostlyAscii = fc
  .tuple(
    fc.string({ unit: 'binary-ascii' }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.string({ unit: 'binary-ascii' }),
  )
  .map((parts) => parts.join(''));
