import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bucketCount } from './bucket.ts';
import { bucketsCovered, covers, firstBuckets, noBuckets, percentOf, type Ranges, sizeOf } from './ranges.ts';

test('every step of 0.01 from 0 to 100 covers its number of buckets and reads back as it was written', () => {
  for (let buckets = 0; buckets <= bucketCount; buckets++) {
    const percent = Number((buckets / 100).toFixed(2));
    assert.equal(bucketsCovered(percent), buckets);
    assert.equal(sizeOf(firstBuckets(buckets)), buckets);
    assert.equal(percentOf(firstBuckets(buckets)), percent);
  }
});

test('refuses finer steps and what lies outside', () => {
  const refused = [0.001, 1e-8, 33.333, 99.995, 99.999, -0.01, -1, 100.01, 1e9, NaN, Infinity, -Infinity];
  for (const percent of refused) assert.equal(bucketsCovered(percent), undefined, String(percent));
});

test('accepts no percentage that would read back as another one', () => {
  for (const percent of [1e-12, 5e-324, 33.330000000001, 99.999999999999])
    assert.equal(bucketsCovered(percent), undefined, String(percent));
  fc.assert(
    fc.property(fc.double({ min: 0, max: 100, noNaN: true }), (percent) => {
      const buckets = bucketsCovered(percent);
      if (buckets !== undefined) assert.equal(percentOf(firstBuckets(buckets)), percent);
    }),
  );
});

test('a percentage takes the first buckets: [0, count)', () => {
  assert.deepEqual(firstBuckets(0), noBuckets);
  assert.deepEqual(firstBuckets(1), [[0, 1]]);
  assert.deepEqual(firstBuckets(bucketCount), [[0, bucketCount]]);
});

test('a range covers its first bucket and not its end', () => {
  const ranges: Ranges = [
    [3, 5],
    [7, 8],
  ];
  const covered = Array.from({ length: 10 }, (_, bucket) => bucket).filter((bucket) => covers(ranges, bucket));
  assert.deepEqual(covered, [3, 4, 7]);
  assert.equal(covers(noBuckets, 0), false);
});

test('the size of ranges is the number of buckets that they cover', () => {
  fc.assert(
    fc.property(anyRanges, (ranges) => {
      let covered = 0;
      for (let bucket = 0; bucket < 100; bucket++) if (covers(ranges, bucket)) covered++;
      assert.equal(sizeOf(ranges), covered);
      assert.equal(percentOf(ranges), covered / 100);
    }),
  );
});

test('raising a percentage keeps every bucket, lowering it takes no other one', () => {
  const share = fc.integer({ min: 0, max: bucketCount });
  fc.assert(
    fc.property(share, share, fc.integer({ min: 0, max: bucketCount - 1 }), (a, b, bucket) => {
      const [low, high] = [firstBuckets(Math.min(a, b)), firstBuckets(Math.max(a, b))];
      assert.ok(!covers(low, bucket) || covers(high, bucket));
    }),
  );
});

/** Ascending and apart from each other, among the first hundred buckets. */
const anyRanges = fc.uniqueArray(fc.integer({ min: 0, max: 100 }), { maxLength: 12 }).map((bounds): Ranges => {
  const ascending = bounds.toSorted((a, b) => a - b);
  return ascending.flatMap((from, i) =>
    i % 2 === 0 && ascending[i + 1] !== undefined ? [[from, ascending[i + 1]!] as const] : [],
  );
});
