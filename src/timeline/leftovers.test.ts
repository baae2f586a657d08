import assert from 'node:assert/strict';
import { test } from 'node:test';
import { second } from '../../test/model/core-run.ts';
import { added, created, deleted, removed, stay, told, withStays } from '../../test/model/story.ts';
import type { Facts } from './facts.ts';
import { leftovers } from './leftovers.ts';

const lines = (facts: Facts, at: number) =>
  leftovers(facts, at * second).map(
    ({ segmentId, startsAt, endsAt, cause, by }) =>
      `${segmentId}: ${startsAt / second} to ${endsAt! / second}, ${cause} by ${by}`,
  );

test('what ran out is left over from its very end on', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 10 } }));
  assert.deepEqual(lines(facts, 19), []);
  assert.deepEqual(lines(facts, 20), ['1: 10 to 20, ttl by bob']);
});

test('a deletion ends what lasts, from its very moment on', () => {
  const facts = told(created(0, 'A'), added(10, 'A'), deleted(20, 'A'));
  assert.deepEqual(lines(facts, 20), ['1: 10 to 20, segment_deleted by ann']);
});

test('what lasts, and what somebody has ended, is none', () => {
  assert.deepEqual(lines(told(created(0, 'A'), added(10, 'A')), 99), []);
  assert.deepEqual(lines(told(created(0, 'A'), added(10, 'A'), removed(20, 'A')), 99), []);
});

test('what a later stay cut is ended by it, in whatever order the stays lie', () => {
  const facts = withStays(told(created(0, 'A')), stay(20, Infinity, { begunBy: 'cyd' }), stay(10));
  assert.deepEqual(lines(facts, 30), ['1: 10 to 20, request by cyd']);
});
