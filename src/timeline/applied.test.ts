import assert from 'node:assert/strict';
import { test } from 'node:test';
import { second } from '../../test/model/core-run.ts';
import { added, asked, created, decided, deleted, history, stay, told, withStays } from '../../test/model/story.ts';
import { applied } from './applied.ts';
import type { Command } from './decide.ts';
import type { Facts } from './facts.ts';

test('what begins starts at the moment of applying, not of deciding, and a TTL counts from there', () => {
  const decision = decided(told(created(0, 'A')), asked({ add: ['A'], end: { kind: 'ttl', milliseconds: 5_000 } }), 20);
  assert.deepEqual(applied(told(created(0, 'A')), decision, 23_000).stays, [stay(23, 28)]);
});

test('an end asked for as a moment is that moment, whenever it is applied', () => {
  const facts = told(created(0, 'A'));
  const decision = decided(facts, asked({ add: ['A'], end: { kind: 'at', moment: 40_000 } }), 20);
  assert.deepEqual(applied(facts, decision, 23_000).stays, [stay(23, 40)]);
});

test('what ends, ends at the moment of applying, and keeps who began it', () => {
  const facts = withStays(told(created(0, 'A')), stay(10, 50, { begunBy: 'cyd' }));
  assert.deepEqual(done(facts, { remove: ['A'] }, 20).stays, [
    stay(10, 20, { begunBy: 'cyd', endedBy: 'bob', endedCause: 'request' }),
  ]);
});

test('moving an end keeps the start of the unbroken stretch', () => {
  const facts = done(withStays(told(created(0, 'A')), stay(10)), { add: ['A'], end: { kind: 'at', moment: 40_000 } }, 20);
  assert.deepEqual(facts.stays, [stay(10, 20, { endedBy: 'bob', endedCause: 'request' }), stay(20, 40, { since: 10_000 })]);
});

test('a plan removed before its start leaves no trace, and what held until then is in the history alone', () => {
  const facts = done(withStays(told(created(0, 'A')), stay(10), stay(30, 40)), { remove: ['A'] }, 20);
  assert.deepEqual(facts.stays, [stay(10, 20, { endedBy: 'bob', endedCause: 'request' })]);
  assert.deepEqual(history(facts), ['10 add A: request by bob', '20 remove A: request by bob']);
  assert.deepEqual(done(withStays(told(created(0, 'A')), stay(30, 40)), { remove: ['A'] }, 20).stays, []);
});

test('a plan in a segment that was deleted before its start leaves no trace either', () => {
  const facts = withStays(told(created(0, 'A'), created(1, 'B'), deleted(10, 'A')), stay(30, 40));
  assert.deepEqual(done(facts, { add: ['B'] }, 20).stays, [stay(20, Infinity, { segmentId: 2 })]);
});

test('what had ended by itself keeps its own end, however late it is tidied', () => {
  const facts = done(told(created(0, 'A'), added(10, 'A', { end: { ttl: 5 }, by: 'cyd' })), { add: ['A'] }, 20);
  assert.deepEqual(facts.stays, [stay(10, 15, { begunBy: 'cyd', endedBy: 'cyd', endedCause: 'ttl' }), stay(20)]);
  assert.deepEqual(history(facts), ['10 add A: request by cyd', '15 remove A: ttl by cyd', '20 add A: request by bob']);
});

test('who is taken out at the very moment a plan takes over, leaves by that request', () => {
  const facts = withStays(told(created(0, 'A')), stay(10), stay(20, 30, { begunBy: 'cyd', begunCause: 'import' }));
  assert.deepEqual(history(done(facts, { remove: ['A'] }, 20)), ['10 add A: request by bob', '20 remove A: request by bob']);
});

test('past stays are left as they are', () => {
  const past = stay(5, 8, { endedBy: 'bob', endedCause: 'request' });
  const facts = withStays(told(created(0, 'A')), past, stay(10));
  assert.deepEqual(done(facts, { remove: ['A'] }, 20).stays[0], past);
});

/** The facts after Bob asked for something, decided and applied at one moment. */
const done = (facts: Facts, command: Partial<Command>, at: number): Facts =>
  applied(facts, decided(facts, asked(command), at), at * second);
