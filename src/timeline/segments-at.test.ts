import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  added,
  created,
  deleted,
  membersAt,
  missing,
  patched,
  rated,
  reaching,
  removed,
  stay,
  told,
  withStays,
} from '../../test/model/story.ts';
import { segmentsAt } from './segments-at.ts';

const everybody = 10_000;

test('a user of whom nothing was said is in no segment', () => {
  assert.deepEqual(membersAt(told(), 10), []);
  assert.deepEqual(membersAt(told(created(0, 'A')), 10), []);
});

test('who is put in is in from that very moment, and for good', () => {
  const facts = told(created(0, 'A'), added(10, 'A'));
  assert.deepEqual(segmentsAt(facts, 9_999), []);
  assert.deepEqual(segmentsAt(facts, 10_000), ['A']);
  assert.deepEqual(segmentsAt(facts, Date.UTC(9999, 0)), ['A']);
});

test('a membership that expires is over exactly at its end, to the millisecond', () => {
  for (const end of [{ ttl: 20 }, { expiresAt: 30 }]) {
    const facts = told(created(0, 'A'), added(10, 'A', { end }));
    assert.deepEqual(segmentsAt(facts, 29_999), ['A']);
    assert.deepEqual(segmentsAt(facts, 30_000), []);
  }
});

test('the latest add sets the end, earlier or later than the one before', () => {
  const shortened = told(created(0, 'A'), added(10, 'A'), added(20, 'A', { end: { ttl: 5 } }));
  assert.deepEqual(segmentsAt(shortened, 24_999), ['A']);
  assert.deepEqual(segmentsAt(shortened, 25_000), []);
  const madePermanent = told(created(0, 'A'), added(10, 'A', { end: { ttl: 20 } }), added(20, 'A'));
  assert.deepEqual(membersAt(madePermanent, 1_000_000), ['A']);
});

test('who is taken out is out from that very moment, and what else they have stays', () => {
  const facts = told(created(0, 'A'), created(1, 'B'), patched(10, { add: ['A', 'B'] }), removed(20, 'A'));
  assert.deepEqual(segmentsAt(facts, 19_999), ['A', 'B']);
  assert.deepEqual(segmentsAt(facts, 20_000), ['B']);
});

test('a percentage has those whose bucket lies below it, from its very moment', () => {
  assert.deepEqual(membersAt(told(created(0, 'A', reaching('A'))), 0), ['A']);
  assert.deepEqual(membersAt(told(created(0, 'A', missing('A'))), 0), []);
  const raised = told(created(0, 'A', missing('A')), rated(10, 'A', reaching('A')));
  assert.deepEqual(segmentsAt(raised, 9_999), []);
  assert.deepEqual(segmentsAt(raised, 10_000), ['A']);
  const lowered = told(created(0, 'A', reaching('A')), rated(10, 'A', missing('A')));
  assert.deepEqual(segmentsAt(lowered, 9_999), ['A']);
  assert.deepEqual(segmentsAt(lowered, 10_000), []);
});

test('who is put in by hand needs no percentage, and keeps the segment when it falls', () => {
  const facts = told(created(0, 'A', everybody), added(10, 'A'), rated(20, 'A', 0));
  assert.deepEqual(membersAt(facts, 20), ['A']);
});

test('who is taken out of a percentage stays out of it: while it is raised, through 0, and when it comes back', () => {
  const facts = told(
    created(0, 'A', reaching('A')),
    removed(10, 'A'),
    rated(20, 'A', everybody),
    rated(30, 'A', 0),
    rated(40, 'A', everybody),
  );
  for (const at of [10, 20, 30, 40, 1_000_000]) assert.deepEqual(membersAt(facts, at), [], `at ${at}`);
});

test('removing keeps out of a percentage also who was not yet reached by it', () => {
  const facts = told(created(0, 'A', missing('A')), removed(10, 'A'), rated(20, 'A', everybody));
  assert.deepEqual(membersAt(facts, 20), []);
});

test('removing at percent 0 keeps nobody out of a later percentage', () => {
  const facts = told(created(0, 'A'), added(5, 'A'), removed(10, 'A'), rated(20, 'A', everybody));
  assert.deepEqual(membersAt(facts, 10), []);
  assert.deepEqual(membersAt(facts, 20), ['A']);
});

test('an add lifts an exclusion for good: when it ends, the percentage decides again', () => {
  const story = [created(0, 'A', everybody), removed(10, 'A'), added(20, 'A', { end: { ttl: 10 } })];
  assert.deepEqual(membersAt(told(...story), 19), []);
  for (const at of [20, 29, 30, 1_000_000]) assert.deepEqual(membersAt(told(...story), at), ['A'], `at ${at}`);
  assert.deepEqual(membersAt(told(...story, rated(40, 'A', 0)), 40), []);
});

test('deleting a segment takes everybody out of it at that moment, by hand and by percentage', () => {
  const facts = told(created(0, 'A'), created(1, 'B', everybody), added(10, 'A'), deleted(20, 'A'), deleted(30, 'B'));
  assert.deepEqual(segmentsAt(facts, 19_999), ['A', 'B']);
  assert.deepEqual(segmentsAt(facts, 20_000), ['B']);
  assert.deepEqual(segmentsAt(facts, 29_999), ['B']);
  assert.deepEqual(segmentsAt(facts, 30_000), []);
});

test('a slug created again has nothing of its former life: no member, no exclusion', () => {
  const member = told(created(0, 'A'), added(10, 'A'), deleted(20, 'A'), created(30, 'A'));
  assert.deepEqual(membersAt(member, 30), []);
  const excluded = told(created(0, 'A', everybody), removed(10, 'A'), deleted(20, 'A'), created(30, 'A', everybody));
  assert.deepEqual(membersAt(excluded, 30), ['A']);
  assert.deepEqual(membersAt(excluded, 15), [], 'and its former life is what it was');
});

test('slugs are in byte order', () => {
  const slugs = ['b', 'B', 'a.b', 'a', 'a-b', '1', 'a_b', 'aB'];
  const facts = told(...slugs.map((slug, i) => created(i, slug, everybody)));
  assert.deepEqual(membersAt(facts, 10), ['1', 'B', 'a', 'a-b', 'a.b', 'aB', 'a_b', 'b']);
});

test('a planned stay takes over at its start and not before, and what it cut does not come back', () => {
  const planned = withStays(told(created(0, 'A')), stay(20, 30));
  assert.deepEqual(segmentsAt(planned, 19_999), []);
  assert.deepEqual(segmentsAt(planned, 20_000), ['A']);
  assert.deepEqual(segmentsAt(planned, 30_000), []);
  const overPermanent = withStays(told(created(0, 'A')), stay(10), stay(20, 30));
  assert.deepEqual(segmentsAt(overPermanent, 29_999), ['A']);
  assert.deepEqual(segmentsAt(overPermanent, 30_000), []);
  const prolonged = withStays(told(created(0, 'A')), stay(10, 25), stay(20, 30));
  assert.deepEqual(segmentsAt(prolonged, 25_000), ['A']);
});

test('until a planned stay starts, an exclusion goes on; after it the percentage decides', () => {
  const facts = withStays(told(created(0, 'A', everybody)), stay(10, Infinity, { excluded: true }), stay(20, 30));
  assert.deepEqual(segmentsAt(facts, 19_999), []);
  assert.deepEqual(segmentsAt(facts, 20_000), ['A']);
  assert.deepEqual(segmentsAt(facts, 30_000), ['A']);
});

test('the order in which stays come from the database makes no difference', () => {
  const facts = told(
    created(0, 'A', everybody),
    added(5, 'A', { end: { ttl: 3 } }),
    removed(10, 'A'),
    added(20, 'A', { end: { ttl: 5 } }),
    removed(30, 'A'),
  );
  const reversed = { ...facts, stays: facts.stays.toReversed() };
  assert.equal(facts.stays.length, 4);
  for (let at = 0; at <= 40; at++) assert.deepEqual(membersAt(reversed, at), membersAt(facts, at), `at ${at}`);
});

test('facts that name a segment which their definitions lack are a defect, not an answer', () => {
  assert.throws(() => membersAt(withStays(told(created(0, 'A')), stay(10, Infinity, { segmentId: 7 })), 10), /segment 7/);
});
