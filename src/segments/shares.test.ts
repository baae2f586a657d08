import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstBuckets, type Ranges } from '../rollout/ranges.ts';
import { indexDefinitions } from '../timeline/definitions.ts';
import type { Moment, Rollout, Segment } from '../timeline/facts.ts';
import { matesIn, type NewRollouts, type NoRoom, reshare, scheduledOf, withRows } from './shares.ts';

const rows = (...changes: [startsAt: Moment, ranges: Ranges, changedBy?: string][]): Rollout[] =>
  withRows(
    [],
    0,
    changes.map(([startsAt, ranges, changedBy = 'ann']) => ({ startsAt, ranges, changedBy })),
  );

const segment = (id: number, slug: string, rollouts: Rollout[], more: Partial<Segment> = {}): Segment => ({
  id,
  slug,
  salt: 'G',
  exclusiveGroup: 'G',
  createdAt: 0,
  createdBy: 'ann',
  deletedAt: Infinity,
  deletedBy: null,
  rollouts,
  ...more,
});

const a = segment(1, 'A', rows([0, [[0, 1000]]], [50, [[0, 3000]], 'cleo']));
const b = segment(2, 'B', rows([0, [[3000, 6000]]]));
const byBob = { now: 20, by: 'bob' };

function fits(room: NewRollouts | NoRoom): NewRollouts {
  assert.ok('rows' in room, 'it fits');
  return room;
}

test('a share from now on is by who asked for it; what is planned keeps who planned it', () => {
  const { rows: made } = fits(reshare(a, [b], { at: 20, buckets: 2000 }, byBob));
  assert.deepEqual(made, [
    { startsAt: 20, ranges: [[0, 2000]], changedBy: 'bob' },
    { startsAt: 50, ranges: [[0, 3000]], changedBy: 'cleo' },
  ]);
});

test('a share to come replaces what is planned for the same moment, and a plan is taken back by naming none', () => {
  assert.deepEqual(fits(reshare(a, [b], { at: 50, buckets: 500 }, byBob)).rows, [
    { startsAt: 50, ranges: [[0, 500]], changedBy: 'bob' },
  ]);
  assert.deepEqual(fits(reshare(a, [b], { at: 50, buckets: null }, byBob)).rows, []);
});

test('a share of now is good until the next plan in the group, and one to come until its own moment', () => {
  const goodUntil = (of: Segment | null, mates: Segment[], at: Moment) =>
    fits(reshare(of, mates, { at, buckets: 100 }, byBob)).goodUntil;
  assert.equal(goodUntil(a, [b], 20), 50, 'its own');
  assert.equal(goodUntil(b, [a], 20), 50, "another one's");
  assert.equal(goodUntil(null, [a, b], 20), 50, 'also for a new segment');
  assert.equal(goodUntil(b, [], 20), Infinity);
  assert.equal(goodUntil(a, [b], 70), 70);
  const at50 = reshare(b, [a], { at: 50, buckets: 100 }, { now: 50, by: 'bob' });
  assert.equal(fits(at50).goodUntil, Infinity, 'what begins at the moment itself has come');
});

test('where it does not fit, it tells what nobody has from then on and who has the rest, by slug', () => {
  const c = segment(3, 'C', rows([0, [[6500, 6550]]]));
  const d = segment(4, 'D', rows([0, [[6000, 6500]]], [10, []]));
  assert.deepEqual(reshare(b, [d, c, a], { at: 20, buckets: 6951 }, byBob), {
    free: 39.5,
    holders: [
      { slug: 'A', percent: 30 },
      { slug: 'B', percent: 30 },
      { slug: 'C', percent: 0.5 },
    ],
  });
  fits(reshare(b, [d, c, a], { at: 20, buckets: 6950 }, byBob));
});

test('mates are the other living segments of the group', () => {
  const all = [
    a,
    b,
    segment(3, 'C', [], { deletedAt: 10, deletedBy: 'ann' }),
    segment(4, 'D', [], { exclusiveGroup: 'H' }),
    segment(5, 'E', [], { exclusiveGroup: null }),
  ];
  const idsOf = (group: string | null, but?: Segment) => matesIn(indexDefinitions(1, 0, all), group, but).map(({ id }) => id);
  assert.deepEqual([idsOf('G'), idsOf('G', b), idsOf('H', all[3]), idsOf(null)], [[1, 2], [1], [], []]);
});

test('rows from a moment on stand in place of what stood there, each until the next begins', () => {
  const known = rows([0, firstBuckets(100)], [30, firstBuckets(200)], [50, firstBuckets(300)]);
  const after = withRows(known, 30, [{ startsAt: 40, ranges: firstBuckets(400), changedBy: 'bob' }]);
  assert.deepEqual(
    after.map(({ startsAt, endsAt, changedBy }) => [startsAt, endsAt, changedBy]),
    [
      [0, 40, 'ann'],
      [40, Infinity, 'bob'],
    ],
  );
});

test('scheduled is what begins after the moment', () => {
  assert.deepEqual(
    [0, 49, 50].map((now) => scheduledOf(a, now).map(({ startsAt }) => startsAt)),
    [[50], [50], []],
  );
});
