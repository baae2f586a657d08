import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomSource } from '../../test/model/random-history.ts';
import { bucketCount, bucketOf } from './bucket.ts';

// The ids are made by a fixed seed, so these never fail by chance. The bounds say by how much chance alone would stray.

const random = randomSource(20_261_124);
const hexadecimal = (digits: number) => Array.from({ length: digits }, () => random.below(16).toString(16)).join('');
const kinds: Record<string, (i: number) => string> = {
  numeric: (i) => String(10_000_000 + i),
  UUID: () => `${hexadecimal(8)}-${hexadecimal(4)}-4${hexadecimal(3)}-a${hexadecimal(3)}-${hexadecimal(12)}`,
  'e-mail': (i) => `${random.one(['ann', 'bob', 'cyd'])}.${random.below(100_000)}@dept${i % 977}.example.org`,
};
const ofEachKind = 334_000;
const ids = Object.fromEntries(
  Object.entries(kinds).map(([kind, make]) => [kind, Array.from({ length: ofEachKind }, (_, i) => make(i))]),
);
const salts = Array.from({ length: 100 }, (_, i) => (i % 2 ? `salt-${i}` : hexadecimal(1 + (i % 40))));

/**
 * A binomial z-test (the share of n users against p, in standard deviations √(p(1 − p)/n)), for 100 salts, three kinds of
 * ids and three percentages: 900 comparisons. At |z| < 5 a fair hash strays once in 1,700,000 of them (two-sided normal
 * tail 5.7e-7), so by Bonferroni all 900 hold with a probability of more than 0.9994.
 */
test('a percentage takes its share, of numeric, UUID and e-mail ids, under 100 salts', () => {
  const size = 10_000;
  for (const [kind, all] of Object.entries(ids)) {
    for (const [n, salt] of salts.entries()) {
      const from = (n * size) % (ofEachKind - size);
      const buckets = all.slice(from, from + size).map((id) => bucketOf(salt, id));
      for (const percent of [1, 10, 50]) {
        const p = percent / 100;
        const share = buckets.filter((bucket) => bucket < percent * 100).length / size;
        const z = (share - p) / Math.sqrt((p * (1 - p)) / size);
        assert.ok(
          Math.abs(z) < 5,
          `${kind} ids under ${salt}: ${share * 100} instead of ${percent} percent, z = ${z.toFixed(2)}`,
        );
      }
    }
  }
});

/** The value that chi-square exceeds with the probability of a normal's exceeding z (Wilson and Hilferty, 1931). */
const chiSquareBound = (freedom: number, z: number): number =>
  freedom * (1 - 2 / (9 * freedom) + z * Math.sqrt(2 / (9 * freedom))) ** 3;

/** z = ±4.75 leaves a millionth on each side: too uneven, or too even to be by chance. */
function assertByChance(statistic: number, freedom: number, what: string) {
  const [low, high] = [chiSquareBound(freedom, -4.75), chiSquareBound(freedom, 4.75)];
  assert.ok(
    statistic > low && statistic < high,
    `${what}: ${statistic.toFixed(0)} is not in ${low.toFixed(0)} to ${high.toFixed(0)}`,
  );
}

test('a million users spread over the 10,000 buckets as chance would spread them (chi-square)', () => {
  const counts = new Uint32Array(bucketCount);
  const all = Object.values(ids).flat();
  for (const id of all) counts[bucketOf('AVITO_NEW_CARD', id)]!++;
  const expected = all.length / bucketCount;
  const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  assertByChance(statistic, bucketCount - 1, `${all.length} users`);
});

test('where a user falls under one salt says nothing of where under another (chi-square of a table of tenths)', () => {
  const all = Object.values(ids).flatMap((list) => list.slice(0, 33_000));
  for (const [one, other] of [
    ['A', 'B'],
    ['AVITO_NEW_CARD', 'AVITO_NEW_CARD2'],
    ['a', 'aa'],
    ['spring', 'SPRING'],
    ['1', '2'],
  ] as const) {
    const table = new Float64Array(100);
    for (const id of all) table[Math.floor(bucketOf(one, id) / 1000) * 10 + Math.floor(bucketOf(other, id) / 1000)]!++;
    const sums = (of: (i: number, j: number) => number) =>
      Array.from({ length: 10 }, (_, i) => Array.from({ length: 10 }, (_, j) => table[of(i, j)]!).reduce((a, b) => a + b));
    const [rows, columns] = [sums((i, j) => i * 10 + j), sums((i, j) => j * 10 + i)];
    let statistic = 0;
    for (const [i, row] of rows.entries()) {
      for (const [j, column] of columns.entries()) {
        const expected = (row * column) / all.length;
        statistic += (table[i * 10 + j]! - expected) ** 2 / expected;
      }
    }
    assertByChance(statistic, 81, `${one} and ${other}`);
  }
});
