import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkOf, rateOf } from './rate.ts';

const taken = (rate: ReturnType<typeof rateOf>, times: number, name = 'a') =>
  Array.from({ length: times }, () => rate.take(name)).filter((waitMs) => waitMs === 0).length;

test('as many as are allowed may come at once, and then as time passes', () => {
  let now = 5_000;
  const rate = rateOf(10, 1_000, () => now);
  assert.equal(taken(rate, 25), 10);
  now += 99;
  assert.equal(taken(rate, 25), 0);
  now += 1;
  assert.equal(taken(rate, 25), 1);
  now += 550;
  assert.equal(taken(rate, 25), 5);
  now += 3_600_000;
  assert.equal(taken(rate, 25), 10);
});

test('in any second no more than twice the count, in a minute no more than sixty and one', () => {
  let now = 0;
  const rate = rateOf(3, 1_000, () => now);
  let all = 0;
  for (; now < 60_000; now += 7) all += taken(rate, 2);
  assert.ok(all >= 180 && all <= 183, `${all}`);
});

test('a refusal says how long to wait, is itself not counted, and the wait is enough', () => {
  let now = 0;
  const rate = rateOf(30, 60_000, () => now);
  assert.equal(taken(rate, 30), 30);
  const waitMs = rate.take('a');
  assert.ok(waitMs > 1_999 && waitMs <= 2_000);
  assert.equal(taken(rate, 1_000), 0);
  now += waitMs;
  assert.equal(taken(rate, 5), 1);
});

test('names do not touch each other', () => {
  const rate = rateOf(1, 1_000, () => 0);
  assert.deepEqual([taken(rate, 2, 'a'), taken(rate, 2, 'b')], [1, 1]);
});

test('what is given back may be taken again', () => {
  const rate = rateOf(2, 1_000, () => 0);
  for (let i = 0; i < 10; i++) {
    assert.equal(rate.take('a'), 0);
    rate.giveBack('a');
  }
  assert.equal(taken(rate, 5), 2);
  rate.giveBack('nobody');
});

test('of many names those heard of last are remembered', () => {
  const rate = rateOf(1, 60_000, () => 0);
  rate.take('first');
  for (let i = 0; i < 9_999; i++) rate.take(`name-${i}`);
  assert.ok(rate.take('first') > 0);
  rate.take('one more');
  assert.equal(rate.take('first'), 0);
  assert.ok(rate.take('name-9998') > 0);
});

for (const [address, network] of [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::7', '2001:db8:1:2::/64'],
  ['2001:db8::3:4:5:6', '2001:db8:0:0::/64'],
  ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['unknown', 'unknown'],
  ['x'.repeat(1_000), 'x'.repeat(64)],
] as const) {
  test(`${address.slice(0, 40)} counts as ${network.slice(0, 40)}`, () => assert.equal(networkOf(address), network));
}
