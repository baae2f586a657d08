import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Segment } from '../api/answers.ts';
import { freePercent, gainedBy, holdersOf } from './ring.ts';

const segment = (slug: string, ranges: Segment['ranges'], scheduled: Segment['ranges'][] = []): Segment => ({
  slug,
  description: '',
  percent: ranges.reduce((sum, [from, to]) => sum + to - from, 0) / 100,
  salt: 'G',
  exclusive_group: 'G',
  created_at: '',
  updated_at: '',
  ranges,
  scheduled: scheduled.map((buckets, i) => ({
    id: String(i),
    percent: 0,
    ranges: buckets,
    effective_at: `2030-01-0${i + 1}T00:00:00Z`,
  })),
});

test('a raise takes the lowest buckets that are free, around those of others and what they have reserved', () => {
  const group = [segment('A', [[0, 1000]]), segment('B', [[1000, 2000]], [[[1000, 2500]]])];
  assert.deepEqual(gainedBy(group, 'A', 20), [[2500, 3500]]);
});

test('a raise takes first what the segment itself has reserved', () => {
  const group = [
    segment(
      'A',
      [[0, 1000]],
      [
        [
          [0, 1000],
          [5000, 6000],
        ],
      ],
    ),
    segment('B', [[1000, 2000]]),
  ];
  assert.deepEqual(gainedBy(group, 'A', 15), [[5000, 5500]]);
});

test('nothing is gained by lowering, by no change, by what does not fit', () => {
  const group = [segment('A', [[0, 6000]]), segment('B', [[6000, 9000]])];
  for (const percent of [10, 60, 75, NaN]) assert.deepEqual(gainedBy(group, 'A', percent), []);
});

test('free is what nobody holds or has reserved', () => {
  assert.equal(freePercent(holdersOf([segment('A', [[0, 1000]]), segment('B', [[1000, 2000]], [[[1000, 2500]]])])), 75);
});
