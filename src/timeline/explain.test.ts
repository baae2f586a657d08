import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketOfUser, second } from '../../test/model/core-run.ts';
import { added, created, deleted, missing, rated, reaching, removed, stay, told, withStays } from '../../test/model/story.ts';
import { explain } from './explain.ts';
import type { Facts } from './facts.ts';

const everybody = 10_000;

test('added: put in by hand, since the entry, until the end that stands, by who set that end', () => {
  const facts = told(created(0, 'A'), added(10, 'A'), added(20, 'A', { end: { expiresAt: 40 }, by: 'cyd' }));
  assert.deepEqual(why(facts, 30), 'in, added by cyd, since 10, until 40');
  assert.deepEqual(why(facts, 10), 'in, added by bob, since 10, until 40');
});

test('added comes before rollout where both hold, and the percentage keeps the user in after the end', () => {
  const facts = told(created(0, 'A', everybody), added(10, 'A', { end: { ttl: 10 } }));
  assert.deepEqual(why(facts, 15), 'in, added by bob, since 0, until never');
  assert.deepEqual(why(facts, 20), 'in, rollout by ann, since 0, until never');
});

test('rollout: by who set the percentage in force', () => {
  const facts = told(
    created(0, 'A', missing('A')),
    rated(10, 'A', reaching('A'), 'eve'),
    rated(20, 'A', everybody, 'fay'),
    rated(30, 'A', 0),
  );
  assert.deepEqual(why(facts, 15), 'in, rollout by eve, since 10, until 30');
  assert.deepEqual(why(facts, 25), 'in, rollout by fay, since 10, until 30');
});

test('excluded: by who took the user out of the percentage, also while it is 0', () => {
  const facts = told(created(0, 'A', everybody), removed(10, 'A'), rated(20, 'A', 0));
  assert.deepEqual(why(facts, 15), 'out, excluded by bob, since 10, until never');
  assert.deepEqual(why(facts, 25), 'out, excluded by bob, since 10, until never');
});

test('excluded, where the user had never been in: since nothing', () => {
  assert.deepEqual(
    why(told(created(0, 'A', missing('A')), removed(10, 'A')), 15),
    'out, excluded by bob, since never, until never',
  );
});

test('removed: by who took the user out', () => {
  const facts = told(created(0, 'A'), added(10, 'A'), removed(20, 'A', { by: 'cyd' }), added(30, 'A'));
  assert.deepEqual(why(facts, 25), 'out, removed by cyd, since 20, until 30');
});

test('stays are looked at by their start, in whatever order they lie', () => {
  const facts = withStays(told(created(0, 'A')), stay(30, Infinity, { begunBy: 'cyd' }), stay(10, 20));
  assert.deepEqual(why(facts, 40), 'in, added by cyd, since 30, until never');
});

test('removed: who was in by hand for a millisecond too', () => {
  const past = stay(10, 10.001, { endedCause: 'request', endedBy: 'bob' });
  assert.deepEqual(explain(withStays(told(created(0, 'A')), past), 'A', 20 * second)!.because, 'removed');
});

test('what began or ended before the events that are kept is not told', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 10 } }));
  const { because, since } = explain(facts, 'A', 30 * second, 20 * second)!;
  assert.deepEqual([because, since], ['expired', 20 * second]);
  const later = explain(facts, 'A', 30 * second, 20 * second + 1)!;
  assert.deepEqual([later.because, later.since], ['never_added', null]);
});

test('expired: by who set the end', () => {
  assert.deepEqual(
    why(told(created(0, 'A'), added(10, 'A', { end: { ttl: 5 } })), 15),
    'out, expired by bob, since 15, until never',
  );
});

test('expired stays the reason under a percentage that does not reach the user', () => {
  const facts = told(created(0, 'A', missing('A')), added(10, 'A', { end: { ttl: 5 } }));
  assert.deepEqual(why(facts, 20), 'out, expired by bob, since 15, until never');
});

test('not_covered: under a percentage that never reached the user, by who set it', () => {
  assert.deepEqual(why(told(created(0, 'A', missing('A'))), 10), 'out, not_covered by ann, since never, until never');
});

test('not_covered: after a percentage that fell, by who set the one in force', () => {
  const facts = told(created(0, 'A', everybody), rated(10, 'A', missing('A'), 'eve'), rated(20, 'A', 0, 'fay'));
  assert.deepEqual(why(facts, 15), 'out, not_covered by eve, since 10, until never');
  assert.deepEqual(why(facts, 25), 'out, not_covered by fay, since 10, until never');
});

test('never_added: nothing said and no percentage', () => {
  assert.deepEqual(why(told(created(0, 'A')), 10), 'out, never_added by nobody, since never, until never');
});

test('segment_deleted: for everybody, by who deleted it', () => {
  const story = [created(0, 'A', missing('A')), deleted(20, 'A', 'eve')];
  assert.deepEqual(why(told(...story), 20), 'out, segment_deleted by eve, since never, until never');
  assert.deepEqual(
    why(told(created(0, 'A'), added(10, 'A'), deleted(20, 'A', 'eve')), 30),
    'out, segment_deleted by eve, since 20, until never',
  );
});

test('a slug created again is explained by its new life alone', () => {
  const facts = told(created(0, 'A'), added(10, 'A'), deleted(20, 'A'), created(30, 'A'));
  assert.deepEqual(why(facts, 15), 'in, added by bob, since 10, until 20');
  assert.deepEqual(why(facts, 25), 'out, segment_deleted by ann, since 20, until never');
  assert.deepEqual(why(facts, 30), 'out, never_added by nobody, since never, until never');
});

test('a slug of which no life had begun by then has no explanation', () => {
  assert.equal(explain(told(created(10, 'A')), 'A', 9_999), undefined);
  assert.notEqual(explain(told(created(10, 'A')), 'A', 10_000), undefined);
  assert.equal(explain(told(created(10, 'A')), 'B', 20_000), undefined);
});

test('a planned start is foreseen', () => {
  const facts = withStays(told(created(0, 'A')), stay(20, 30, { begunBy: 'cyd' }));
  assert.deepEqual(why(facts, 10), 'out, never_added by nobody, since never, until 20');
  assert.deepEqual(why(facts, 20), 'in, added by cyd, since 20, until 30');
});

test('an event at the very moment counts as the last one', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 20 } }));
  assert.deepEqual(why(facts, 9.999), 'out, never_added by nobody, since never, until 10');
  assert.deepEqual(why(facts, 29.999), 'in, added by bob, since 10, until 30');
  assert.deepEqual(why(facts, 30), 'out, expired by bob, since 30, until never');
});

test("the percentage in force is told with the user's bucket, and nothing at percent 0 or after the deletion", () => {
  const facts = told(created(0, 'A', 1234), added(10, 'A'), rated(20, 'A', 0), rated(30, 'A', 1), deleted(40, 'A'));
  const bucket = bucketOfUser('A');
  const rollout = (at: number) => explain(facts, 'A', at * second)?.rollout;
  assert.deepEqual(rollout(15), { percent: 12.34, bucket, ranges: [[0, 1234]] });
  assert.equal(rollout(25), null);
  assert.deepEqual(rollout(35), { percent: 0.01, bucket, ranges: [[0, 1]] });
  assert.equal(rollout(45), null);
});

/** The explanation of the user in A, in a line. */
function why(facts: Facts, at: number): string {
  const { member, because, changedBy, since, until } = explain(facts, 'A', at * second)!;
  const told = (moment: number | null) => (moment === null ? 'never' : String(moment / second));
  return `${member ? 'in' : 'out'}, ${because} by ${changedBy ?? 'nobody'}, since ${told(since)}, until ${told(until)}`;
}
