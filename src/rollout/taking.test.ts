import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bucketCount } from './bucket.ts';
import { firstBuckets, noBuckets, type Ranges, sizeOf } from './ranges.ts';
import { type Holding, planShares, type Share } from './taking.ts';

/** Rows of one segment as they are with a plan from its change on: each ends where the next begins. */
function rowsWith(own: readonly Holding[], { at }: Share, planned: readonly { startsAt: number; ranges: Ranges }[]): Holding[] {
  const all = [...own.filter(({ startsAt }) => startsAt < at), ...planned];
  return all.map(({ startsAt, ranges }, i) => ({ startsAt, endsAt: all[i + 1]?.startsAt ?? Infinity, ranges }));
}

/** A group told step by step; the time of a step is its number. */
function ring() {
  const segments = new Map<string, Holding[]>();
  const rangesOf = (slug: string, at: number): Ranges =>
    segments.get(slug)?.findLast(({ startsAt, endsAt }) => startsAt <= at && at < endsAt)?.ranges ?? noBuckets;
  return {
    segments,
    rangesOf,
    /** Whether it fitted. */
    share(slug: string, share: Share): boolean {
      const own = segments.get(slug) ?? [];
      const others = [...segments].filter(([other]) => other !== slug).map(([, rows]) => rows);
      const plan = planShares(own, others, share);
      if ('free' in plan) return false;
      segments.set(slug, rowsWith(own, share, plan.holdings));
      return true;
    },
  };
}

describe('examples', () => {
  test('raising takes the lowest free buckets, lowering gives back those taken last', () => {
    const { share, rangesOf } = ring();
    assert.ok(share('A', { at: 1, buckets: 1000 }) && share('B', { at: 2, buckets: 2000 }));
    assert.deepEqual(rangesOf('B', 2), [[1000, 3000]]);
    assert.ok(share('A', { at: 3, buckets: 3000 }));
    assert.deepEqual(rangesOf('A', 3), [
      [0, 1000],
      [3000, 5000],
    ]);
    assert.ok(share('B', { at: 4, buckets: 500 }) && share('A', { at: 5, buckets: 3500 }));
    assert.deepEqual(rangesOf('A', 5), [
      [0, 1000],
      [1500, 2000],
      [3000, 5000],
    ]);
    assert.ok(share('A', { at: 6, buckets: 2500 }), 'the 500 taken last, then the highest of those before');
    assert.deepEqual(rangesOf('A', 6), [
      [0, 1000],
      [3000, 4500],
    ]);
  });

  test('what a share to come needs is reserved from its acceptance on, and taken first by its own segment', () => {
    const { share, rangesOf } = ring();
    assert.ok(share('A', { at: 1, buckets: 1000 }) && share('A', { at: 10, buckets: 3000 }));
    assert.ok(share('B', { at: 2, buckets: 7000 }));
    assert.deepEqual(rangesOf('B', 2), [[3000, 10_000]]);
    assert.ok(!share('B', { at: 3, buckets: 7001 }));
    assert.ok(share('A', { at: 4, buckets: 2000 }));
    assert.deepEqual([rangesOf('A', 4), rangesOf('A', 10)], [[[0, 2000]], [[0, 3000]]]);
  });

  test('a lowering before a reserved raise keeps what that has', () => {
    const { share, rangesOf } = ring();
    assert.ok(share('A', { at: 1, buckets: 1000 }) && share('B', { at: 2, buckets: 1000 }));
    assert.ok(share('A', { at: 20, buckets: 3000 }) && share('B', { at: 3, buckets: 0 }));
    assert.ok(share('A', { at: 4, buckets: 5000 }), 'its own 2000 to 3999 first, then 1000 to 1999 and more');
    assert.ok(share('A', { at: 5, buckets: 2500 }));
    assert.deepEqual(rangesOf('A', 5), [
      [0, 1000],
      [2000, 3500],
    ]);
    assert.deepEqual(rangesOf('A', 20), [
      [0, 1000],
      [2000, 4000],
    ]);
  });

  test('until its own lowering a segment keeps what others have reserved for then, after what nobody has', () => {
    const { share, rangesOf } = ring();
    assert.ok(share('A', { at: 1, buckets: 8000 }) && share('A', { at: 10, buckets: 2000 }));
    assert.ok(share('B', { at: 10, buckets: 3000 }));
    assert.ok(share('A', { at: 5, buckets: 7000 }));
    assert.deepEqual(rangesOf('A', 5), [
      [0, 4000],
      [5000, 8000],
    ]);
    assert.deepEqual([rangesOf('A', 10), rangesOf('B', 10)], [[[0, 2000]], [[2000, 5000]]]);
  });

  test('a later share that cannot have what was planned, since others have it before, gives back what was taken last', () => {
    const list = (...ranges: Ranges): Ranges => ranges;
    const own: Holding[] = [
      { startsAt: 18, endsAt: 51, ranges: [[9000, 9100]] },
      { startsAt: 51, endsAt: 60, ranges: list([2000, 2500], [3000, 4900], [9000, 9100]) },
      { startsAt: 60, endsAt: Infinity, ranges: list([2000, 2500], [3000, 3100]) }, // another one's plan was in the way of 9000
    ];
    const other: Holding[] = [{ startsAt: 27, endsAt: 43, ranges: [[2500, 6500]] }];
    assert.deepEqual(planShares(own, [other], { at: 28, buckets: 3500 }), {
      holdings: [
        { startsAt: 28, ranges: list([0, 2500], [6500, 7400], [9000, 9100]) },
        { startsAt: 51, ranges: list([0, 1900], [2000, 2500], [9000, 9100]) },
        { startsAt: 60, ranges: list([2000, 2500], [9000, 9100]) },
      ],
    });
  });

  test('a lowering that others count on is not taken back', () => {
    const { share, segments } = ring();
    assert.ok(share('A', { at: 1, buckets: 8000 }) && share('A', { at: 10, buckets: 2000 }));
    assert.ok(share('B', { at: 20, buckets: 6000 }));
    const before = structuredClone(segments);
    assert.ok(!share('A', { at: 10, buckets: null }));
    assert.deepEqual(segments, before);
    assert.ok(share('B', { at: 20, buckets: null }) && share('A', { at: 10, buckets: null }));
  });
});

const anyShare = fc.record({
  slug: fc.constantFrom('A', 'B', 'C', 'D'),
  kind: fc.constantFrom('now', 'now', 'later', 'later', 'back', 'delete'),
  buckets: fc.oneof(
    fc.integer({ min: 0, max: 6 }).map((n) => n * 1500),
    fc.integer({ min: 0, max: 10_000 }),
  ),
  after: fc.integer({ min: 1, max: 12 }),
});

test('whatever is created, raised, lowered, planned, taken back and deleted: shares never meet, raises keep, lowerings add nobody, nobody else moves', () => {
  let [fitted, refused] = [0, 0];
  fc.assert(
    fc.property(fc.array(anyShare, { maxLength: 25 }), (steps) => {
      const { segments, rangesOf, share } = ring();
      for (const [i, { slug, kind, buckets, after }] of steps.entries()) {
        const now = i * 2; // plans begin at odd times, between two steps
        const before = structuredClone(segments);
        const planned = segments.get(slug)?.filter(({ startsAt }) => startsAt > now) ?? [];
        if (kind === 'delete') segments.delete(slug);
        else if (kind === 'back') {
          const one = planned[after % Math.max(1, planned.length)];
          if (!one) continue;
          if (!share(slug, { at: one.startsAt, buckets: null })) assert.deepEqual(segments, before);
        } else {
          if (kind === 'later' && !segments.has(slug)) continue;
          const at = kind === 'now' ? now : now + after * 2 - 1;
          if (share(slug, { at, buckets })) {
            fitted++;
            assert.equal(sizeOf(rangesOf(slug, at)), buckets);
            const sizes = (rows: readonly Holding[] = []) =>
              rows.filter(({ startsAt }) => startsAt > at).map(({ startsAt, ranges }) => [startsAt, sizeOf(ranges)]);
            assert.deepEqual(sizes(segments.get(slug)), sizes(before.get(slug)), 'later shares keep their size');
          } else {
            refused++;
            assert.deepEqual(segments, before);
          }
        }
        for (const [other, rows] of segments) if (other !== slug) assert.deepEqual(rows, before.get(other), 'nobody else moves');
        for (const rows of segments.values()) {
          for (const [n, { ranges }] of rows.entries()) {
            const next = rows[n + 1];
            if (!next) continue;
            const [small, large] = sizeOf(ranges) <= sizeOf(next.ranges) ? [ranges, next.ranges] : [next.ranges, ranges];
            assert.ok(
              flagsOf(small).every((isIn, bucket) => !isIn || flagsOf(large)[bucket]),
              'one lies in the other',
            );
          }
        }
        const moments = new Set([...segments.values()].flat().map(({ startsAt }) => startsAt));
        for (const moment of [...moments, now].filter((at) => at >= now)) {
          const sum = new Uint8Array(bucketCount);
          for (const other of segments.keys())
            for (const [from, to] of rangesOf(other, moment)) for (let bucket = from; bucket < to; bucket++) sum[bucket]!++;
          assert.ok(
            sum.every((holders) => holders <= 1),
            `two share a bucket at ${moment}`,
          );
        }
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(fitted > 100 && refused > 100, `${fitted} fitted, ${refused} were refused`);
});

const known = new WeakMap<Ranges, Uint8Array>();
function flagsOf(ranges: Ranges): Uint8Array {
  const flags = known.get(ranges) ?? new Uint8Array(bucketCount);
  for (const [from, to] of ranges) flags.fill(1, from, to);
  known.set(ranges, flags);
  return flags;
}

test('alone on its ring a segment always has the first buckets, now and in all that it plans', () => {
  fc.assert(
    fc.property(fc.array(anyShare, { maxLength: 20 }), (steps) => {
      const { segments, share } = ring();
      for (const [i, { kind, buckets, after }] of steps.entries()) {
        const planned = segments.get('A')?.filter(({ startsAt }) => startsAt > i * 2) ?? [];
        const back = planned[0];
        if (kind === 'back' && back) assert.ok(share('A', { at: back.startsAt, buckets: null }));
        else if (kind === 'now' || segments.has('A'))
          assert.ok(share('A', { at: kind === 'now' ? i * 2 : i * 2 + after * 2 - 1, buckets }));
        for (const { ranges } of segments.get('A') ?? []) assert.deepEqual(ranges, firstBuckets(sizeOf(ranges)));
      }
    }),
    { numRuns: 100 },
  );
});
