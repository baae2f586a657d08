import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusalOf } from './failure.ts';

test('what a proxy says in a form of its own is told by its status', () => {
  for (const body of [null, {}, { error: 'upstream' }, [], 'no']) {
    const { message, problem } = refusalOf(502, body);
    assert.deepEqual([message, problem.code], ['The service answered 502.', 'http_502']);
  }
});

test('what the service says is told, with all that it says besides', () => {
  const { problem } = refusalOf(409, { code: 'group_full', detail: 'There is no room.', free: 10 });
  assert.deepEqual(problem, { code: 'group_full', detail: 'There is no room.', free: 10 });
  assert.equal(refusalOf(503, { ready: false, not_ready: ['x'] }).message, 'The service answered 503.');
});
