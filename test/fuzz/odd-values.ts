import type { Random } from './random.ts';

/** Names that every object of JavaScript has by nature, or that some code would take for its own. */
export const natureNames = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'then', 'length'];

const texts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\u202eabc', // right to left
  '\u200b',
  '\ufeff',
  'caf\u00e9',
  'cafe\u0301', // the same to the eye
  '\u{1f600}',
  '\uffff',
  '.',
  '..',
  '../../etc/passwd',
  '-1',
  '0',
  '1e400',
  'NaN',
  'null',
  'undefined',
  "'; drop table users; --",
  '%s%n',
  '${7*7}',
  '2026-02-30T00:00:00Z',
  '2026-11-23T10:00:00.0001Z',
  '10000-01-01T00:00:00Z',
  '2026-13',
  '1970-01',
  '9'.repeat(40),
  'x'.repeat(129),
  'x'.repeat(5_000),
  '\u{1f600}'.repeat(600),
];

export const oddText = (random: Random): string => (random.chance(25) ? random.pick(natureNames) : random.pick(texts));

/** JSON texts of values, some of which no `JSON.stringify` would write. */
const jsonTexts = [
  'null',
  'true',
  '-1',
  '-0',
  '0.1',
  '1e308',
  '1e400',
  '-1e400',
  '9007199254740993',
  '1'.repeat(400),
  '0.' + '3'.repeat(400),
  '{}',
  '[]',
  '[[]]',
  '[null]',
  '{"a":{"b":{}}}',
  '{"__proto__":{"percent":5}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '"\\ud800"', // a lone surrogate
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '"\\/"',
];

export function oddJson(random: Random): string {
  const kind = random.below(12);
  if (kind < 5) return random.pick(jsonTexts);
  if (kind < 9) return JSON.stringify(oddText(random));
  const depth = random.pick([10, 1_000, 100_000]);
  if (kind === 9) return '['.repeat(depth) + ']'.repeat(depth);
  if (kind === 10)
    return `[${Array.from({ length: random.pick([2, 1_001, 3_000]) }, () => random.pick(['1', '"A"', '{}'])).join(',')}]`;
  return `[${Array.from({ length: random.pick([1_000, 1_001]) }, (_, i) => `"${i}"`).join(',')}]`;
}

/** What takes a parser long, or ends it early: of the whole body. */
export function oddBody(random: Random, valid: string): Buffer {
  const kind = random.below(16);
  const text = [
    () => '',
    () => valid.slice(0, random.below(valid.length + 1)),
    () => `${valid}${random.pick(['}', ' null', '\u0000', ',', '//', '\n{}'])}`,
    () => `\ufeff${valid}`,
    () => valid.replaceAll('"', "'"),
    () => valid.replace(/:/, ': NaN //'),
    () => `[${valid}]`,
    () => '['.repeat(random.pick([100, 10_000, 1_000_000])),
    () => '{"a":'.repeat(random.pick([100, 50_000])),
    () => `${valid.slice(0, -1)}${' '.repeat(random.pick([10, 1_048_577]))}}`,
    () => `{"a":"${'x'.repeat(random.pick([1_000, 1_048_570]))}"}`,
    () => valid.replace(/^\{/, '{"add":[1],"slug":1,'),
  ][kind];
  if (text) return Buffer.from(text());
  if (kind === 12) return Buffer.from(valid, 'utf16le');
  // Overlong, half a surrogate, cut short, out of range: all of which no UTF-8 has.
  const wrong = random.pick(['c080', 'eda080', 'e282', 'f8888080', 'ff', 'f4908080']);
  const at = random.below(valid.length + 1);
  if (kind < 15) return Buffer.concat([Buffer.from(valid.slice(0, at)), Buffer.from(wrong, 'hex'), Buffer.from(valid.slice(at))]);
  // Half a million wrong items, now and then: what is refused must not cost much either.
  if (!random.chance(5)) return Buffer.from(`{"add":[${'1,'.repeat(2_000)}1],"user_ids":[${'1,'.repeat(2_000)}1]}`);
  const many = `[${'1,'.repeat(250_000)}1]`;
  return Buffer.from(`{"add":${many},"user_ids":${many}}`);
}
