import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  added,
  created,
  deleted,
  history,
  missing,
  patched,
  rated,
  reaching,
  removed,
  stay,
  told,
  withStays,
} from '../../test/model/story.ts';
import { eventsBetween } from './events.ts';

const everybody = 10_000;

test('nothing said, nothing happened', () => {
  assert.deepEqual(history(told(created(0, 'A', missing('A')))), []);
});

test('an entry and an exit by hand have the cause and the actor of their command', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { by: 'bob', cause: 'import' }), removed(20, 'A', { by: 'cyd' }));
  assert.deepEqual(history(facts), ['10 add A: import by bob', '20 remove A: request by cyd']);
});

test('an expiry is in the history though nothing ran then, as the doing of who set the end', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 20 } }));
  assert.deepEqual(history(facts), ['10 add A: request by bob', '30 remove A: ttl by bob']);
});

test('moving an end is no event; the exit is of who moved it last', () => {
  const facts = told(
    created(0, 'A'),
    added(10, 'A'),
    added(15, 'A', { end: { ttl: 50 }, by: 'cyd' }),
    added(20, 'A', { end: { expiresAt: 30 }, by: 'dan' }),
  );
  assert.deepEqual(history(facts), ['10 add A: request by bob', '30 remove A: ttl by dan']);
  assert.deepEqual(
    facts.stays.map(({ since }) => since),
    [10_000, 10_000, 10_000],
  );
});

test('a membership made permanent has no exit', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 20 } }), added(20, 'A'));
  assert.deepEqual(history(facts), ['10 add A: request by bob']);
});

test('adding again at the very moment of the end is no event: nobody saw the user out', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 20 } }), added(30, 'A'));
  assert.deepEqual(history(facts), ['10 add A: request by bob']);
});

test('an add by hand of somebody in by percentage is no event, nor is its end while the percentage covers them', () => {
  const facts = told(created(0, 'A', reaching('A')), added(10, 'A', { end: { ttl: 20 } }));
  assert.deepEqual(history(facts), ['0 add A: rollout by ann']);
});

test('the end of a TTL is an exit where the percentage has fallen meanwhile', () => {
  const facts = told(created(0, 'A', reaching('A')), added(10, 'A', { end: { ttl: 20 } }), rated(20, 'A', missing('A')));
  assert.deepEqual(history(facts), ['0 add A: rollout by ann', '30 remove A: ttl by bob']);
});

test('a percentage raised and lowered is an entry and an exit by who set it', () => {
  const facts = told(
    created(0, 'A', missing('A')),
    rated(10, 'A', reaching('A'), 'eve'),
    rated(20, 'A', everybody, 'fay'),
    rated(30, 'A', missing('A'), 'gus'),
    rated(40, 'A', 0, 'hal'),
  );
  assert.deepEqual(history(facts), ['10 add A: rollout by eve', '30 remove A: rollout by gus']);
});

test('taking somebody out of a percentage is an exit; what the percentage does afterwards is none', () => {
  const facts = told(created(0, 'A', everybody), removed(10, 'A'), rated(20, 'A', 0), rated(30, 'A', everybody));
  assert.deepEqual(history(facts), ['0 add A: rollout by ann', '10 remove A: request by bob']);
});

test('an exclusion of somebody who was not in is no event', () => {
  assert.deepEqual(history(told(created(0, 'A', missing('A')), removed(10, 'A'), rated(20, 'A', everybody))), []);
});

test('who comes back by the percentage as an exclusion ends comes by the percentage', () => {
  const facts = withStays(told(created(0, 'A', everybody)), stay(10, 20, { excluded: true }));
  assert.deepEqual(history(facts).slice(1), ['10 remove A: request by bob', '20 add A: rollout by ann']);
});

test('an add lifts an exclusion for good: its end is no exit under the percentage', () => {
  const facts = told(created(0, 'A', everybody), removed(10, 'A'), added(20, 'A', { end: { ttl: 5 } }), rated(40, 'A', 0));
  assert.deepEqual(history(facts).slice(1), [
    '10 remove A: request by bob',
    '20 add A: request by bob',
    '40 remove A: rollout by ann',
  ]);
});

test('deleting a segment is the exit of all who are in, by who deleted it', () => {
  const facts = told(
    created(0, 'A'),
    created(1, 'B', everybody),
    added(10, 'A'),
    deleted(20, 'A', 'eve'),
    deleted(30, 'B', 'fay'),
  );
  assert.deepEqual(history(facts), [
    '1 add B: rollout by ann',
    '10 add A: request by bob',
    '20 remove A: segment_deleted by eve',
    '30 remove B: segment_deleted by fay',
  ]);
});

test('nothing happens after a deletion: no end that was to come, no percentage', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 20 } }), removed(15, 'A'), deleted(20, 'A'));
  assert.deepEqual(history(facts), ['10 add A: request by bob', '15 remove A: request by bob']);
  assert.deepEqual(history(withStays(told(created(0, 'A'), deleted(20, 'A')), stay(30, 40))), []);
});

test('each life of a slug has its own events', () => {
  const facts = told(
    created(0, 'A', everybody),
    deleted(10, 'A'),
    created(20, 'A'),
    added(30, 'A'),
    deleted(40, 'A'),
    created(50, 'A', everybody),
  );
  assert.deepEqual(history(facts), [
    '0 add A: rollout by ann',
    '10 remove A: segment_deleted by ann',
    '30 add A: request by bob',
    '40 remove A: segment_deleted by ann',
    '50 add A: rollout by ann',
  ]);
});

test('of several causes of one exit the deletion comes first, then a time that ran out, then a command, then a percentage', () => {
  const until30 = added(10, 'A', { end: { ttl: 20 } });
  const exit = (facts: Parameters<typeof history>[0]) => history(facts).at(-1);
  assert.equal(exit(told(created(0, 'A'), until30, deleted(30, 'A'))), '30 remove A: segment_deleted by ann');
  assert.equal(exit(told(created(0, 'A'), until30, removed(30, 'A', { by: 'cyd' }))), '30 remove A: ttl by bob');
  assert.equal(exit(told(created(0, 'A', everybody), until30, removed(30, 'A', { by: 'cyd' }))), '30 remove A: ttl by bob');
  assert.equal(exit(told(created(0, 'A', everybody), until30, rated(30, 'A', 0))), '30 remove A: ttl by bob');
  assert.equal(exit(told(created(0, 'A', everybody), removed(30, 'A', { by: 'cyd' }))), '30 remove A: request by cyd');
});

test('a planned stay is an entry at its start by who planned it, and none where the user is in already', () => {
  const plan = stay(20, 30, { begunBy: 'cyd', begunCause: 'import' });
  const segment = told(created(0, 'A'));
  assert.deepEqual(history(withStays(segment, plan)), ['20 add A: import by cyd', '30 remove A: ttl by cyd']);
  assert.deepEqual(history(withStays(segment, stay(10), plan)), ['10 add A: request by bob', '30 remove A: ttl by cyd']);
  assert.deepEqual(history(withStays(segment, stay(10, 15), plan)), [
    '10 add A: request by bob',
    '15 remove A: ttl by bob',
    '20 add A: import by cyd',
    '30 remove A: ttl by cyd',
  ]);
});

test('a period has the events at its start and not those at its end', () => {
  const facts = told(created(0, 'A'), added(10, 'A', { end: { ttl: 20 } }));
  const times = (from: number, to: number) => eventsBetween(facts, from, to).map(({ at }) => at);
  assert.deepEqual(times(10_000, 30_000), [10_000]);
  assert.deepEqual(times(10_000, 30_001), [10_000, 30_000]);
  assert.deepEqual(times(10_001, 30_000), []);
  assert.deepEqual(times(10_001, 10_001), []);
});

test('stays count by their start, in whatever order they lie', () => {
  const facts = withStays(told(created(0, 'A')), stay(40), stay(10, 20), stay(30, 35));
  assert.deepEqual(
    history(facts).map((line) => line.split(':')[0]),
    ['10 add A', '20 remove A', '30 add A', '35 remove A', '40 add A'],
  );
});

test('within a moment removes come first, then slugs in byte order', () => {
  const slugs = ['b', 'a', 'B', 'A'];
  const facts = told(
    ...slugs.map((slug, i) => created(i, slug)),
    patched(10, { add: ['b', 'A'] }),
    patched(20, { add: ['a', 'B'], remove: ['b', 'A'] }),
  );
  const at20 = history(facts).filter((line) => line.startsWith('20 '));
  assert.deepEqual(
    at20.map((line) => line.slice(3, line.indexOf(':'))),
    ['remove A', 'remove b', 'add B', 'add a'],
  );
});

test('what is over but not yet tidied away has the same history as what a later write tidied', () => {
  const story = [
    created(0, 'A'),
    created(1, 'B'),
    created(2, 'C'),
    added(10, 'A', { end: { ttl: 5 } }),
    added(12, 'B', { by: 'cyd' }),
    deleted(20, 'B'),
  ];
  const [before, after] = [told(...story), told(...story, added(30, 'C'))];
  assert.deepEqual(
    before.stays.map(({ endedCause }) => endedCause),
    [null, null],
  );
  assert.deepEqual(
    after.stays.map(({ endedCause }) => endedCause),
    ['ttl', 'segment_deleted', null],
  );
  assert.deepEqual(history(after), [...history(before), '30 add C: request by bob']);
});
