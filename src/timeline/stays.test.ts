import assert from 'node:assert/strict';
import { test } from 'node:test';
import { second } from '../../test/model/core-run.ts';
import {
  added,
  asked,
  created,
  decided,
  deleted,
  patched,
  rated,
  removed,
  stay,
  told,
  withStays,
} from '../../test/model/story.ts';
import { applied } from './applied.ts';
import type { Facts } from './facts.ts';
import { toldStays } from './stays.ts';

const everybody = 10_000;

test('what stands is told by slug, memberships and exclusions alike, with who set it last', () => {
  const facts = told(
    created(0, 'B', everybody),
    created(1, 'A'),
    removed(10, 'B'),
    added(20, 'A'),
    added(30, 'A', { end: { ttl: 20 }, by: 'cyd' }),
  );
  assert.deepEqual(standing(facts, 40), ['A: in from 30 to 50 by cyd', 'B: kept out from 10 to Infinity by bob']);
});

test('segments come by their slugs', () => {
  const facts = told(created(0, 'B'), created(1, 'C'), created(2, 'A'), added(10, 'B'), added(11, 'C'), added(12, 'A'));
  assert.deepEqual(
    toldStays(facts, 20 * second, false).map(({ slug }) => slug),
    ['A', 'B', 'C'],
  );
});

test('of one segment they are told by their start, in whatever order they lie', () => {
  const facts = withStays(told(created(0, 'A')), stay(60, 70), stay(10, 40), stay(45, 50));
  const starts = toldStays(facts, 20 * second, false).map(({ startsAt }) => startsAt / second);
  assert.deepEqual(starts, [10, 45, 60]);
});

test('what has ended is told with who ended it and why', () => {
  const facts = told(
    created(0, 'A'),
    added(10, 'A', { end: { ttl: 5 } }),
    added(20, 'A'),
    removed(25, 'A', { by: 'cyd', cause: 'import' }),
    added(30, 'A'),
    deleted(40, 'A', 'eve'),
  );
  assert.deepEqual(over(facts, 50), [
    'A: in from 10 to 15 by bob, ended by bob: ttl',
    'A: in from 20 to 25 by bob, ended by cyd: import',
    'A: in from 30 to 40 by bob, ended by eve: segment_deleted',
  ]);
  assert.deepEqual(standing(facts, 50), []);
});

test('a membership stands until the millisecond before its end, and has ended at it', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 20 } }));
  assert.equal(standing(facts, 29.999).length, 1);
  assert.equal(over(facts, 29.999).length, 0);
  assert.equal(standing(facts, 30).length, 0);
  assert.equal(over(facts, 30).length, 1);
});

test('an end that was moved is a stay that ended by that request', () => {
  const facts = told(created(0, 'A'), added(10, 'A'), added(20, 'A', { end: { ttl: 20 }, by: 'cyd' }));
  assert.deepEqual(over(facts, 30), ['A: in from 10 to 20 by bob, ended by cyd: request']);
});

test('a plan is told before its start, and what it takes over from goes on until then', () => {
  const facts = withStays(told(created(0, 'A')), stay(10), stay(20, 30, { begunBy: 'cyd' }));
  assert.deepEqual(standing(facts, 15), ['A: in from 10 to 20 by bob', 'A: in from 20 to 30 by cyd']);
  assert.deepEqual(over(facts, 20), ['A: in from 10 to 20 by bob, ended by cyd: request']);
});

test('a plan in a segment that was deleted before its start was nothing', () => {
  const facts = withStays(told(created(0, 'A'), deleted(20, 'A')), stay(30, 40));
  assert.deepEqual([...standing(facts, 25), ...over(facts, 50)], []);
});

test('a membership whose segment was deleted at the very start of its plan ended by the deletion, tidied away or not', () => {
  const story = [created(0, 'A'), created(1, 'B'), deleted(20, 'A', 'eve')];
  const before = withStays(told(...story), stay(10), stay(20, 30, { begunBy: 'cyd' }));
  const after = applied(before, decided(before, asked({ add: ['B'] }), 40), 40_000);
  assert.deepEqual(over(after, 39), ['A: in from 10 to 20 by bob, ended by eve: segment_deleted']);
  assert.deepEqual(over(before, 39), over(after, 39));
});

test('both lives of a slug are told, oldest first', () => {
  const facts = told(created(0, 'A'), added(10, 'A'), deleted(20, 'A'), created(30, 'A'), added(40, 'A'), removed(50, 'A'));
  assert.deepEqual(over(facts, 60), [
    'A: in from 10 to 20 by bob, ended by ann: segment_deleted',
    'A: in from 40 to 50 by bob, ended by bob: request',
  ]);
});

test('what nobody has ended has nobody who ended it', () => {
  const facts = told(created(0, 'A'), created(1, 'B'), patched(10, { add: ['A'] }), added(11, 'B', { end: { ttl: 20 } }));
  const enders = toldStays(facts, 15 * second, false).map(({ endedBy, endedCause }) => [endedBy, endedCause]);
  assert.deepEqual(enders, [
    [null, null],
    [null, null],
  ]);
});

test('a percentage says nothing by hand', () => {
  assert.deepEqual(standing(told(created(0, 'A', everybody), rated(10, 'A', 0)), 20), []);
});

const standing = (facts: Facts, at: number) =>
  toldStays(facts, at * second, false).map(
    ({ slug, excluded, startsAt, endsAt, begunBy }) =>
      `${slug}: ${excluded ? 'kept out' : 'in'} from ${startsAt / second} to ${endsAt / second} by ${begunBy}`,
  );

const over = (facts: Facts, at: number) =>
  toldStays(facts, at * second, true).map(
    ({ slug, excluded, startsAt, endsAt, begunBy, endedBy, endedCause }) =>
      `${slug}: ${excluded ? 'kept out' : 'in'} from ${startsAt / second} to ${endsAt / second} by ${begunBy}, ended by ${endedBy}: ${endedCause}`,
  );

test('where an end and the deletion of the segment coincide, the deletion ended it, as in the history', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 10 } }), deleted(20, 'A'));
  assert.deepEqual(
    toldStays(facts, 30 * second, true).map(({ endedCause }) => endedCause),
    ['segment_deleted'],
  );
});
