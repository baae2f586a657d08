import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figureOf, interleave, median, percentile, ratio } from './statistics.ts';

test('the median is the middle value whatever the order, or the mean of the two in the middle', () => {
  assert.equal(median([10, 1, 9]), 9);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
  assert.throws(() => median([]), /no values/);
});

test('a percentile is a value that was seen: the smallest that so many do not exceed', () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  assert.equal(percentile(values, 99), 198);
  assert.equal(percentile(values, 50), 100);
  assert.equal(percentile(values, 100), 200);
  assert.equal(percentile(values, 0), 1);
  assert.equal(percentile([5], 99), 5);
  assert.throws(() => percentile([], 99), /no values/);
});

test('a ratio compares within rounds, so a slow spell of the machine and one outlier change nothing', () => {
  assert.equal(ratio([100, 10, 100], [50, 5, 50]), 2);
  assert.equal(ratio([100, 100, 1], [50, 50, 50]), 2);
  assert.throws(() => ratio([1, 2], [1]), /2 rounds to 1/);
});

test('rounds go A B A B, and the first of each is not counted', async () => {
  const order: string[] = [];
  const contender = (name: string) => async () => {
    order.push(name);
    return { number: order.length };
  };
  const samples = await interleave({ a: contender('a'), b: contender('b') }, 2);
  assert.deepEqual(order, ['a', 'b', 'a', 'b', 'a', 'b']);
  assert.deepEqual(samples, { a: [{ number: 3 }, { number: 5 }], b: [{ number: 4 }, { number: 6 }] });
  assert.deepEqual(figureOf(samples.b, 'number'), [4, 6]);
});
