import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressLine, secondsOf } from './progress.ts';

test('progress shows rows, rate and time left, also before anything is known', () => {
  assert.equal(
    progressLine('applying', 250, 1_000, 1_000),
    'applying ██████░░░░░░░░░░░░░░░░░░ 25 %  250 of 1,000 rows  250/s  3 s left',
  );
  assert.match(progressLine('applying', 1_000, 100_000, 1_000), /1,000\/s {2}1 min 39 s left$/);
  assert.equal(progressLine('sending', 0, null, 0), 'sending 0 rows  0/s');
  assert.match(progressLine('applying', 0, 0, 0), /100 % {2}0 of 0 rows/);
});

test('a time to live is a whole number with a unit', () => {
  const told = ['90', '45s', '30m', '12h', '2d', '1w', '0', '', '-1', '1.5h', '2 d', '2y', '1e3'].map(secondsOf);
  const none = undefined;
  assert.deepEqual(told, [90, 45, 1_800, 43_200, 172_800, 604_800, none, none, none, none, none, none, none]);
});
