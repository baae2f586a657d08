import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import conformance from '../../test/conformance/rollout.json' with { type: 'json' };
import { bucketCount, bucketOf } from './bucket.ts';
import { murmur3 } from './murmur3.ts';
import { bucketsCovered, covers, firstBuckets } from './ranges.ts';

test("answers Unleash's published cases as Unleash does", () => {
  assert.equal(conformance.cases.length, 11);
  for (const { salt, user_id, percent, in: isIn, source } of conformance.cases) {
    const ranges = firstBuckets(bucketsCovered(percent)!);
    assert.equal(covers(ranges, bucketOf(salt, user_id)), isIn, `${source}: ${salt}, ${user_id} at ${percent} %`);
  }
});

test("has Unleash's published normalized values, less one, for its hundreds", () => {
  assert.equal(conformance.values.length, 2);
  for (const { salt, user_id, bucket_div_100, source } of conformance.values) {
    assert.equal(Math.floor(bucketOf(salt, user_id) / 100), bucket_div_100, source);
  }
});

/** Unleash's normalized value, 1 to 100: a whole percentage has the user when it is at least that. */
const normalizedByUnleash = (groupId: string, id: string) => (murmur3(`${groupId}:${id}`) % 100) + 1;

test('answers every whole percentage as Unleash does, for anybody', () => {
  fc.assert(
    fc.property(salts, userIds, fc.integer({ min: 0, max: 100 }), (salt, userId, percent) => {
      const bucket = bucketOf(salt, userId);
      assert.equal(Math.floor(bucket / 100), normalizedByUnleash(salt, userId) - 1);
      assert.equal(covers(firstBuckets(percent * 100), bucket), percent > 0 && normalizedByUnleash(salt, userId) <= percent);
    }),
    { numRuns: 5_000 },
  );
});

test('gives everybody a whole bucket from 0 to 9999, and the same one each time', () => {
  fc.assert(
    fc.property(salts, userIds, (salt, userId) => {
      const bucket = bucketOf(salt, userId);
      assert.ok(Number.isInteger(bucket) && bucket >= 0 && bucket < bucketCount, String(bucket));
      assert.equal(bucketOf(salt, userId), bucket);
    }),
  );
});

test('spreads users over all buckets, no bucket far from its share', () => {
  const users = 1_000_000;
  const counts = new Uint32Array(bucketCount);
  for (let i = 0; i < users; i++) counts[bucketOf('AVITO_NEW_CARD', String(i))]!++;
  // 100 each are expected, and chance alone strays by 10.
  assert.ok(Math.min(...counts) > 40 && Math.max(...counts) < 160, `${Math.min(...counts)} to ${Math.max(...counts)}`);
});

test('another salt is another shuffle', () => {
  const sameBucket = Array.from({ length: 10_000 }, (_, i) => String(i)).filter((id) => bucketOf('A', id) === bucketOf('B', id));
  assert.ok(sameBucket.length < 20, `${sameBucket.length} of 10,000 users kept their bucket`);
});

const salts = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/);
const userIds = fc.stringMatching(/^[!-~]{1,128}$/);
