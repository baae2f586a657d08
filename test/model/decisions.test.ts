import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { applied } from '../../src/timeline/applied.ts';
import { type Command, decide, type Decision } from '../../src/timeline/decide.ts';
import { eventsBetween } from '../../src/timeline/events.ts';
import { explain } from '../../src/timeline/explain.ts';
import type { Facts, Moment, Stay } from '../../src/timeline/facts.ts';
import { segmentsAt } from '../../src/timeline/segments-at.ts';
import { toldStays } from '../../src/timeline/stays.ts';
import { anyCommand, anyFacts, horizon, present } from './any-facts.ts';

const moments = Array.from({ length: horizon + 20 }, (_, moment) => moment);
const decidedAt = fc.integer({ min: present, max: horizon });
const runs = { numRuns: 3_000 };

test('of any facts, replaying the events up to any moment gives who is in at that moment, and each pair alternates', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const events = eventsBetween(facts, 0, Infinity);
      const isIn = new Set<string>();
      for (const moment of moments) {
        const now = events.filter(({ at }) => at === moment);
        assert.equal(new Set(now.map(({ segment }) => segment)).size, now.length, `at most one event a pair at ${moment}`);
        for (const { operation, segment } of now) {
          assert.equal(isIn.has(segment), operation === 'remove', `${operation} ${segment} at ${moment}`);
          if (operation === 'add') isIn.add(segment);
          else isIn.delete(segment);
        }
        assert.deepEqual(segmentsAt(facts, moment), [...isIn].sort(), `at ${moment}`);
      }
    }),
    runs,
  );
});

test('of any facts, an explanation says the same as the read, between the events around the moment', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      for (const slug of ['A', 'B']) {
        const events = eventsBetween(facts, 0, Infinity).filter(({ segment }) => segment === slug);
        for (const moment of moments) {
          const why = explain(facts, slug, moment);
          const born = facts.definitions.bySlug.get(slug)!.findLast(({ createdAt }) => createdAt <= moment);
          assert.equal(why !== undefined, born !== undefined);
          if (!why || !born) continue;
          const last = events.findLast(({ at }) => at <= moment && at >= born.createdAt);
          const next = events.find(({ at }) => at > moment && at <= born.deletedAt);
          assert.equal(why.member, segmentsAt(facts, moment).includes(slug));
          assert.deepEqual([why.since, why.until], [last?.at ?? null, next?.at ?? null]);
          assert.equal(why.member, last?.operation === 'add');
        }
      }
    }),
    runs,
  );
});

test('a decision applied at any moment for which it is good is the one that would be made at that moment', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const decision = accepted(facts, command, moment);
      for (let later = moment; later < Math.min(decision.goodUntil, horizon + 20); later++) {
        const anew = again(facts, command, later);
        assert.deepEqual(answerOf(decision), answerOf(anew), `at ${later}`);
        assert.deepEqual(byPair(applied(facts, decision, later)), byPair(applied(facts, anew, later)), `at ${later}`);
      }
    }),
    runs,
  );
});

test('a decision is good for its own moment at least', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      assert.ok(accepted(facts, command, moment).goodUntil > moment);
    }),
    runs,
  );
});

test('what is told as added, removed or unchanged is what a reader sees change, each slug in one of them', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const decision = accepted(facts, command, moment);
      const [before, after] = [segmentsAt(facts, moment - 1), segmentsAt(applied(facts, decision, moment), moment)];
      const named = [...command.add, ...command.remove];
      const gained = named.filter((slug) => !before.includes(slug) && after.includes(slug));
      const lost = named.filter((slug) => before.includes(slug) && !after.includes(slug));
      const same = named.filter((slug) => before.includes(slug) === after.includes(slug));
      assert.deepEqual(answerOf(decision), [gained, lost, same]);
    }),
    runs,
  );
});

test('a write changes nothing that was: not who was in, not one event with its cause and actor, not who ended what by hand', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const after = applied(facts, accepted(facts, command, moment), moment);
      assert.deepEqual(eventsBetween(after, 0, moment), eventsBetween(facts, 0, moment));
      assert.deepEqual(toldStays(after, moment - 1, true), toldStays(facts, moment - 1, true));
      for (const past of moments.slice(0, moment)) assert.deepEqual(segmentsAt(after, past), segmentsAt(facts, past));
    }),
    runs,
  );
});

test('a write changes nothing of the segments that it does not name, then or later', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const after = applied(facts, accepted(facts, command, moment), moment);
      const others = (of: Facts) =>
        eventsBetween(of, 0, Infinity).filter(({ segment }) => ![...command.add, ...command.remove].includes(segment));
      assert.deepEqual(others(after), others(facts));
    }),
    runs,
  );
});

test('who is put in is in until the end asked for, and who is taken out does not come back by themselves', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const { end } = command;
      const after = applied(facts, accepted(facts, command, moment), moment);
      const until = end.kind === 'never' ? Infinity : end.kind === 'at' ? end.moment : moment + end.milliseconds;
      for (const later of moments.slice(moment)) {
        const isIn = segmentsAt(after, later);
        for (const slug of command.add) if (later < until) assert.ok(isIn.includes(slug), `${slug} at ${later}`);
        for (const slug of command.remove) assert.ok(!isIn.includes(slug), `${slug} at ${later}`);
      }
    }),
    runs,
  );
});

test('after a write the stays of a pair lie apart, none of them is empty, and nothing that is over lies open', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const decision = accepted(facts, command, moment);
      fc.pre(decision.endings.length + decision.beginnings.length > 0);
      const after = applied(facts, decision, moment);
      for (const stays of Map.groupBy(byPair(after), ({ segmentId }) => segmentId).values()) {
        for (const [i, { startsAt, endsAt, since, endedCause }] of stays.entries()) {
          const next = stays[i + 1];
          assert.ok(startsAt < endsAt && since <= startsAt);
          if (next) assert.ok(startsAt < next.startsAt && (endsAt <= next.startsAt || next.startsAt > moment));
          if (endedCause === null) assert.ok(endsAt > moment && (!next || next.startsAt > moment));
        }
      }
    }),
    runs,
  );
});

test('the same request again changes nothing, unless it has a TTL', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, fc.integer({ min: 1, max: 20 }), (facts, command, moment, later) => {
      fc.pre(command.end.kind !== 'ttl' && (command.end.kind !== 'at' || command.end.moment > moment + later));
      const after = applied(facts, accepted(facts, command, moment), moment);
      const { endings, beginnings } = again(after, command, moment + later);
      assert.deepEqual([endings, beginnings], [[], []]);
    }),
    runs,
  );
});

/** The decision about a command that is not refused; those that are, are no case of these properties. */
function accepted(facts: Facts, command: Command, moment: Moment): Decision {
  fc.pre(!('refused' in decide(facts, command, moment)));
  return again(facts, command, moment);
}

/** The decision about a command that cannot be refused, because it was accepted before. */
function again(facts: Facts, command: Command, moment: Moment): Decision {
  const decision = decide(facts, command, moment);
  return 'refused' in decision ? assert.fail(`refused as ${decision.refused}`) : decision;
}

const answerOf = ({ added, removed, unchanged }: Decision) => [added, removed, unchanged];

const byPair = ({ stays }: Facts): Stay[] => stays.toSorted((a, b) => a.segmentId - b.segmentId || a.startsAt - b.startsAt);
