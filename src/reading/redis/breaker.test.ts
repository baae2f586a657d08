import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breaker } from './breaker.ts';

test('after a failure nobody asks for the pause, then one at a time, until one succeeds', () => {
  let at = 0;
  const guard = breaker({ pauseMs: 100, now: () => at });
  const asking = () => [guard.mayAsk(), guard.mayAsk()];
  assert.deepEqual(asking(), [true, true]);
  assert.equal(guard.failed(), true);
  assert.equal(guard.failed(), false, 'no news');
  at = 99;
  assert.deepEqual(asking(), [false, false]);
  at = 100;
  assert.deepEqual(asking(), [true, false], 'one finds out');
  at = 199;
  assert.deepEqual(asking(), [false, false]);
  guard.failed();
  at = 298;
  assert.deepEqual(asking(), [false, false], 'a failure counts from when it is known');
  at = 299;
  assert.deepEqual(asking(), [true, false]);
  assert.equal(guard.succeeded(), true);
  assert.equal(guard.succeeded(), false);
  assert.deepEqual(asking(), [true, true]);
});
