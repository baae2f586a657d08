import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from './api.ts';
import { SegmentdError, UnreachableError } from './errors.ts';
import { mayRepeat, pause, retryAfterOf, waitMs } from './repeating.ts';

const problem = (code: Problem['code'], status: number) =>
  new SegmentdError({ code, status, type: '', title: '', detail: '', request_id: '' });
const proxy = (status: number) => new UnreachableError('answer', '', { status });

test('a read is repeated where the failure may pass', () => {
  const passing = [
    new UnreachableError('refused', ''),
    new UnreachableError('connection', ''),
    problem('rate_limited', 429),
    problem('database_unavailable', 503),
    problem('overloaded', 503),
    ...[429, 502, 503, 504].map(proxy),
  ];
  for (const error of passing) assert.equal(mayRepeat(error, true), true, JSON.stringify(error));
  const lasting = [
    new UnreachableError('timeout', ''),
    problem('invalid_request', 400),
    problem('segment_not_found', 404),
    problem('internal_error', 500),
    ...[200, 404, 500].map(proxy),
    new Error('the signal of the caller'),
  ];
  for (const error of lasting) assert.equal(mayRepeat(error, true), false, JSON.stringify(error));
});

test('a change is repeated only where it cannot have been applied', () => {
  const unapplied = [
    new UnreachableError('refused', ''),
    problem('rate_limited', 429),
    problem('overloaded', 503),
    problem('definitions_busy', 503),
    proxy(429),
  ];
  for (const error of unapplied) assert.equal(mayRepeat(error, false), true, JSON.stringify(error));
  const unknown = [
    new UnreachableError('connection', ''),
    new UnreachableError('timeout', ''),
    problem('database_unavailable', 503),
    problem('clock_behind', 503),
    problem('internal_error', 500),
    ...[502, 503, 504].map(proxy),
  ];
  for (const error of unknown) assert.equal(mayRepeat(error, false), false, JSON.stringify(error));
});

test('waits anything up to a bound that doubles, ten seconds at most, behind what the service asked for', (t) => {
  const random = t.mock.method(Math, 'random', () => 0);
  const waits = () => [0, 1, 2, 3, 20].map((attempt) => waitMs(attempt));
  assert.deepEqual(waits(), [0, 0, 0, 0, 0]);
  random.mock.mockImplementation(() => 1);
  assert.deepEqual(waits(), [100, 200, 400, 800, 10_000]);
  assert.equal(waitMs(1, 2_000), 2_200);
  assert.equal(waitMs(2, 0, 1_000), 4_000);
});

test('Retry-After is seconds or a date', () => {
  const of = (text?: string) => retryAfterOf(new Headers(text === undefined ? {} : { 'retry-after': text }));
  assert.deepEqual([of(), of('2'), of('0'), of('soon'), of('Thu, 01 Jan 1970 00:00:00 GMT')], [0, 2_000, 0, 0, 0]);
  const inAMinute = of(new Date(Date.now() + 60_000).toUTCString());
  assert.ok(inAMinute > 58_000 && inAMinute <= 60_000, String(inAMinute));
});

test('a pause ends with the signal, and leaves nothing behind at its own end', async () => {
  const leaving = new AbortController();
  const pausing = pause(60_000, leaving.signal);
  leaving.abort(new Error('gone'));
  await assert.rejects(pausing, /gone/);
  await assert.rejects(pause(60_000, leaving.signal), /gone/);
  await pause(0, new AbortController().signal);
});
