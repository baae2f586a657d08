import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { applied } from '../../src/timeline/applied.ts';
import { type Command, decide, type Decision } from '../../src/timeline/decide.ts';
import { livesAt, livingAt } from '../../src/timeline/definitions.ts';
import { eventsBetween } from '../../src/timeline/events.ts';
import { explain } from '../../src/timeline/explain.ts';
import type { Facts, Moment, Stay } from '../../src/timeline/facts.ts';
import { segmentsAt } from '../../src/timeline/segments-at.ts';
import { toldStays } from '../../src/timeline/stays.ts';
import { anyCommand, anyFacts, horizon, present } from './any-facts.ts';

const moments = Array.from({ length: horizon + 20 }, (_, moment) => moment);
/** Plans begin up to a horizon after the last command. */
const everMoments = Array.from({ length: present + horizon + 1 }, (_, moment) => moment);
const decidedAt = fc.integer({ min: present, max: horizon });
// MODEL_RUNS: so many of each.
const runs = { numRuns: Number(process.env.MODEL_RUNS ?? 3_000) };
/** Of what few commands are about. */
const fewRuns = { numRuns: 300 };

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

test('where no exclusive group is concerned the id of a user changes nothing of what is written, nor for how long it is good', () => {
  const property = fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
    fc.pre(facts.definitions.segments.every(({ exclusiveGroup }) => exclusiveGroup === null));
    const [one, other] = [facts, { ...facts, userId: `another than ${facts.userId}` }].map((of) => {
      const decision = decide(of, command, moment);
      return 'refused' in decision ? decision : { ...decision, added: [], removed: [], unchanged: [] };
    });
    assert.deepEqual(one, other);
  });
  fc.assert(property, runs);
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
      if (command.replaceInGroup)
        lost.push(...matesOf(facts, command.add, moment).filter((slug) => !named.includes(slug) && before.includes(slug)));
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

test('a write changes nothing of the segments that it does not name, then or later, but for those of one group', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const after = applied(facts, accepted(facts, command, moment), moment);
      const named = [...command.add, ...command.remove];
      const concerned = [...named, ...matesOf(facts, named, moment)];
      const others = (of: Facts) => eventsBetween(of, 0, Infinity).filter(({ segment }) => !concerned.includes(segment));
      assert.deepEqual(others(after), others(facts));
    }),
    runs,
  );
});

test('who is put in is in from the start to the end asked for, and who is taken out does not come back by themselves', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const { end } = command;
      const after = applied(facts, accepted(facts, command, moment), moment);
      const from = command.start ?? moment;
      const until = end.kind === 'never' ? Infinity : end.kind === 'at' ? end.moment : from + end.milliseconds;
      for (const later of moments.slice(moment)) {
        const isIn = segmentsAt(after, later);
        for (const slug of command.add) if (later >= from && later < until) assert.ok(isIn.includes(slug), `${slug} at ${later}`);
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

test('the same request again changes nothing, unless it has a TTL that counts from now', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, fc.integer({ min: 1, max: 20 }), (facts, command, moment, later) => {
      fc.pre(command.start === null || command.start > moment + later);
      fc.pre(
        (command.end.kind !== 'ttl' || command.start !== null) &&
          (command.end.kind !== 'at' || command.end.moment > moment + later),
      );
      const after = applied(facts, accepted(facts, command, moment), moment);
      const { endings, beginnings } = again(after, command, moment + later);
      assert.deepEqual([endings, beginnings], [[], []]);
    }),
    runs,
  );
});

test('nobody is ever in two segments of one group, before a write or after it', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const groupOf = (slug: string, at: Moment) => livingAt(facts.definitions, slug, at)!.exclusiveGroup ?? [];
      for (const each of [facts, applied(facts, accepted(facts, command, moment), moment)]) {
        for (const at of moments) {
          const groups = segmentsAt(each, at).flatMap((slug) => groupOf(slug, at));
          assert.equal(new Set(groups).size, groups.length, `at ${at}`);
        }
      }
    }),
    runs,
  );
});

test('a conflict names another one of the group in which the user is while what is added would last, or two that are added', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      const refusal = decide(facts, command, moment);
      fc.pre('refused' in refusal && refusal.refused === 'group_conflict');
      const mates = matesOf(facts, command.add, moment);
      for (const slug of refusal.slugs) {
        if (command.add.length > 1) assert.ok(command.add.includes(slug)); // A and B: two of one group
        else assert.ok(mates.includes(slug) && !command.replaceInGroup);
      }
      if (command.add.length > 1) return;
      const { end, start } = command;
      const until = end.kind === 'never' ? Infinity : end.kind === 'at' ? end.moment : (start ?? moment) + end.milliseconds;
      const asIfRemoved = decide(facts, { ...command, add: [] }, moment);
      assert.ok(!('refused' in asIfRemoved));
      const before = applied(facts, asIfRemoved, moment);
      const isMet = everMoments.some(
        (at) => at >= (start ?? moment) && at < until && segmentsAt(before, at).some((slug) => mates.includes(slug)),
      );
      assert.ok(isMet, `${refusal.slugs.join()} is in the way at no moment`);
    }),
    fewRuns,
  );
});

test('making room ends what is by hand in the others of the group, plans too, and leaves what keeps the user out', () => {
  fc.assert(
    fc.property(anyFacts, anyCommand, decidedAt, (facts, command, moment) => {
      fc.pre(command.replaceInGroup);
      const decision = accepted(facts, command, moment);
      const mates = matesOf(facts, command.add, moment).filter((slug) => !command.remove.includes(slug));
      fc.pre(mates.length > 0);
      const of = (all: Facts) =>
        toldStays(all, moment, false).filter(({ slug, endsAt }) => mates.includes(slug) && endsAt > moment);
      const excluded = ({ excluded, startsAt, endsAt }: Stay) => (excluded ? [{ startsAt, endsAt }] : []);
      const [before, after] = [of(facts), of(applied(facts, decision, moment))];
      assert.deepEqual(
        after.filter((stay) => !stay.excluded),
        [],
      );
      assert.equal(after.length, before.flatMap(excluded).length, 'none recorded, none ended');
    }),
    fewRuns,
  );
});

/** The other living slugs of the groups of these, sorted. */
function matesOf({ definitions }: Facts, slugs: readonly string[], moment: Moment): string[] {
  const lives = slugs.map((slug) => livingAt(definitions, slug, moment)!);
  const groups = new Set(lives.map(({ exclusiveGroup }) => exclusiveGroup));
  return definitions.segments
    .filter(
      (one) => livesAt(one, moment) && one.exclusiveGroup !== null && groups.has(one.exclusiveGroup) && !lives.includes(one),
    )
    .map(({ slug }) => slug)
    .sort();
}

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
