import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waits } from './waits.ts';

test('waits longer each time, up to five seconds, and from the beginning after a connection that stayed', () => {
  const wait = waits();
  assert.deepEqual(
    [0, 0, 100, 9_999, 0, 0].map((livedMs) => wait(livedMs)),
    [500, 1_000, 2_000, 4_000, 5_000, 5_000],
  );
  assert.deepEqual(
    [10_000, 0].map((livedMs) => wait(livedMs)),
    [500, 1_000],
  );
});
