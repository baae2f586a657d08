import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyFacts, horizon } from '../../test/model/any-facts.ts';
import { added, created, deleted, grouped, patched, rated, scheduled, told } from '../../test/model/story.ts';
import { eventsBetween } from '../timeline/events.ts';
import type { Facts } from '../timeline/facts.ts';
import { type Happening, happeningsBetween, nextPlanned, userEvents } from './happenings.ts';
import { compare, endOf, type Position, positionText } from './position.ts';

const start = endOf(-1);
const brief = (happening: Happening): string => {
  const where = positionText(happening.position);
  if (happening.userId === null) {
    const { slug, change, percent, actor } = happening.change;
    return `${where} ${slug} ${change} ${percent} by ${actor}`;
  }
  const { segment, operation, cause, actor } = happening.event;
  return `${where} ${operation} ${segment}: ${cause} by ${actor}`;
};
const all = (facts: Facts, upTo: Position = endOf(100_000), after = start) =>
  happeningsBetween(after, upTo, facts.definitions, [facts]).map(brief);

test('entries and exits by hand and by time are told, each at its moment', () => {
  const facts = told(
    created(0, 'A'),
    created(1, 'B'),
    patched(10, { add: ['B', 'A'], end: { ttl: 20 } }),
    patched(15, { remove: ['A'] }),
  );
  assert.deepEqual(all(facts), [
    '0:1: A created 0 by ann',
    '1000:1: B created 0 by ann',
    '10000:1:user-1 add A: request by bob',
    '10000:2:user-1 add B: request by bob',
    '15000:1:user-1 remove A: request by bob',
    '30000:1:user-1 remove B: ttl by bob',
  ]);
});

test('whoever comes or goes by a percentage or a deletion is told with the segment, once', () => {
  const facts = told(
    created(0, 'A', 10_000),
    rated(5, 'A', 500),
    scheduled(6, 'A', 20, 9_000, 'cyd'),
    added(10, 'A'),
    deleted(30, 'A'),
    created(40, 'A', 100),
  );
  assert.deepEqual(all(facts), [
    '0:1: A created 100 by ann',
    '5000:1: A percent 5 by ann',
    '10000:1:user-1 add A: request by bob',
    '20000:1: A percent 90 by cyd',
    '30000:1: A deleted 0 by ann',
    '40000:1: A created 1 by ann',
  ]);
});

test('a percentage that yields to an add in its group has the cause of the add, so it is told, and its return is not', () => {
  const facts = told(
    grouped(0, 'A', 'G', 10_000),
    grouped(1, 'B', 'G'),
    added(10, 'B', { end: { ttl: 20 }, replaceInGroup: true }),
  );
  assert.deepEqual(all(facts).slice(2), [
    '10000:1:user-1 remove A: request by bob',
    '10000:2:user-1 add B: request by bob',
    '30000:1:user-1 remove B: ttl by bob',
  ]);
});

test('a percentage set to what it is, is no change of the segment', () => {
  assert.deepEqual(all(told(created(0, 'A', 100), scheduled(1, 'A', 5, 300), rated(3, 'A', 300))), [
    '0:1: A created 1 by ann',
    '3000:1: A percent 3 by ann',
  ]);
});

test('tells when the next percentage is planned', () => {
  const { definitions } = told(created(0, 'A'), created(1, 'B'), scheduled(2, 'A', 20, 5), scheduled(2, 'B', 10, 5));
  assert.deepEqual(
    [2_000, 10_000, 20_000].map((at) => nextPlanned(definitions, at)),
    [10_000, 20_000, Infinity],
  );
});

test('every entry and exit of a history is told, but for those by a percentage or a deletion', () => {
  let count = 0;
  fc.assert(
    fc.property(anyFacts, fc.nat(horizon), fc.nat(horizon), (facts, a, b) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const expected = eventsBetween(facts, from, to + 1).filter(
        ({ cause }) => cause !== 'rollout' && cause !== 'segment_deleted',
      );
      assert.deepEqual(userEvents(facts, from, to), expected);
      count += expected.length;
    }),
    { numRuns: 5_000 },
  );
  assert.ok(count > 5_000);
});

const anyPlace = fc.oneof(
  fc.nat(horizon).map(endOf),
  fc.record({ at: fc.nat(horizon), userId: fc.constantFrom('', '1000', '1002', 'user-1'), count: fc.nat(3) }),
);

test('wherever it is divided, what is told is the same, in order, each with a place of its own', () => {
  fc.assert(
    fc.property(fc.array(anyFacts, { minLength: 1, maxLength: 1 }), anyPlace, anyPlace, ([facts], one, other) => {
      const { definitions } = facts!;
      const users = ['1000', '1002', 'user-1'].map((userId) => ({ ...facts!, userId }));
      const between = (after: Position, upTo: Position) => happeningsBetween(after, upTo, definitions, users);
      const whole = between(start, endOf(horizon));
      for (const [i, { position }] of whole.entries()) if (i > 0) assert.ok(compare(whole[i - 1]!.position, position) < 0);
      const [first, second] = compare(one, other) < 0 ? [one, other] : [other, one];
      assert.deepEqual([...between(start, first), ...between(first, second), ...between(second, endOf(horizon))], whole);
    }),
    { numRuns: 1_000 },
  );
});
