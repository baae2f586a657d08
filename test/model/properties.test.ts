import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eventsBetween } from '../../src/timeline/events.ts';
import type { Facts } from '../../src/timeline/facts.ts';
import { segmentsAt } from '../../src/timeline/segments-at.ts';
import { runCore, second } from './core-run.ts';
import type { ModelCommand } from './reference-model.ts';
import { created, deleted, patched, rated } from './story.ts';

// The invariants of ARCHITECTURE.md, over whatever people may have asked for.

const slugs = ['A', 'B'];
const runs = { numRuns: 2_000 };

test('invariant 1: the stays of a user and segment never overlap, and none is empty', () => {
  fc.assert(
    fc.property(anyHistory(), (facts) => {
      for (const stays of Map.groupBy(facts.stays, ({ segmentId }) => segmentId).values()) {
        const byStart = stays.toSorted((a, b) => a.startsAt - b.startsAt);
        for (const [i, { startsAt, endsAt }] of byStart.entries()) {
          assert.ok(startsAt < endsAt, `[${startsAt}, ${endsAt})`);
          const next = byStart[i + 1];
          if (next) assert.ok(endsAt <= next.startsAt, `[${startsAt}, ${endsAt}) and the next from ${next.startsAt}`);
        }
      }
    }),
    runs,
  );
});

test('an end that was moved keeps since: it is the start of the unbroken stretch of stays', () => {
  fc.assert(
    fc.property(anyHistory(), (facts) => {
      for (const stay of facts.stays) {
        const before = facts.stays.find((other) => other.segmentId === stay.segmentId && other.endsAt === stay.startsAt);
        const isMoved = before && !before.excluded && !stay.excluded && before.endedCause !== 'ttl';
        assert.equal(stay.since, isMoved ? before.since : stay.startsAt);
      }
    }),
    runs,
  );
});

test('invariant 2: the events of a user and segment alternate, at most one a moment', () => {
  fc.assert(
    fc.property(anyHistory(), (facts) => {
      for (const events of Map.groupBy(eventsOf(facts), ({ segment }) => segment).values()) {
        for (const [i, { at, operation }] of events.entries()) {
          assert.equal(operation, i % 2 === 0 ? 'add' : 'remove');
          assert.ok(at > (events[i - 1]?.at ?? -1));
        }
      }
    }),
    runs,
  );
});

test("invariant 3: replaying a user's events up to any moment gives exactly who is in at that moment", () => {
  fc.assert(
    fc.property(anyHistory(), fc.nat(80 * second), (facts, anyMoment) => {
      const events = eventsOf(facts);
      const around = events.flatMap(({ at }) => [at - 1, at, at + 1]);
      for (const moment of [0, anyMoment, ...around, 1e12]) {
        const isIn = new Set<string>();
        for (const { at, operation, segment } of events) if (at <= moment) isIn[operation === 'add' ? 'add' : 'delete'](segment);
        assert.deepEqual(segmentsAt(facts, moment), [...isIn].sort(), `at ${moment}`);
      }
    }),
    runs,
  );
});

test('a period is the events of the whole that lie in it, and periods that follow each other miss and repeat none', () => {
  const moments = fc.tuple(fc.nat(40), fc.nat(40), fc.nat(40)).map((of) => of.toSorted((a, b) => a - b));
  fc.assert(
    fc.property(anyHistory(), moments, (facts, [from, between, to]) => {
      const period = (a = 0, b = 0) => eventsBetween(facts, a * second, b * second);
      assert.deepEqual([...period(from, between), ...period(between, to)], period(from, to));
      assert.deepEqual(
        period(from, to),
        eventsOf(facts).filter(({ at }) => at >= from! * second && at < to! * second),
      );
    }),
    runs,
  );
});

test('invariant 7: raising a percentage takes nobody out, lowering it puts nobody in, then or later', () => {
  const change = fc.record({ slug: fc.constantFrom(...slugs), buckets: fc.nat(10_000) });
  fc.assert(
    fc.property(anyCommands, anyPace, change, (commands, pace, { slug, buckets }) => {
      const at = (commands.at(-1)?.at ?? 0) + 1;
      const before = facts(commands, pace);
      const now =
        before.definitions.bySlug
          .get(slug)
          ?.find(({ deletedAt }) => deletedAt === Infinity)
          ?.rollouts.at(-1)?.ranges[0]?.[1] ?? 0;
      const after = facts([...commands, rated(at, slug, buckets)], pace);
      for (const moment of momentsOf(before, after)) {
        const [was, is] = [segmentsAt(before, moment), segmentsAt(after, moment)];
        const changed = `${was.join()} became ${is.join()} at ${moment}`;
        if (moment < at * second || buckets >= now)
          assert.ok(
            was.every((one) => is.includes(one)),
            changed,
          );
        if (moment < at * second || buckets <= now)
          assert.ok(
            is.every((one) => was.includes(one)),
            changed,
          );
      }
    }),
    runs,
  );
});

test('a later command changes nothing of the past', () => {
  fc.assert(
    fc.property(anyCommands, anyPace, (commands, pace) => {
      const last = commands.at(-1);
      fc.pre(last !== undefined);
      const [before, after] = [facts(commands.slice(0, -1), pace), facts(commands, pace)];
      assert.deepEqual(eventsBetween(after, 0, last.at * second), eventsBetween(before, 0, last.at * second));
    }),
    runs,
  );
});

const eventsOf = (facts: Facts) => eventsBetween(facts, 0, Infinity);

/** Every moment at which one of them changes, the instants before and after, and long after. */
const momentsOf = (...all: Facts[]) => [
  ...all.flatMap((facts) => eventsOf(facts).flatMap(({ at }) => [at - 1, at, at + 1])),
  1e12,
];

type Untimed = (at: number) => ModelCommand;

const anyBuckets = fc.constantFrom(0, 1_000, 2_500, 5_000, 9_999, 10_000);
const anyEnd = fc.option(
  fc.oneof(fc.record({ ttl: fc.integer({ min: 1, max: 12 }) }), fc.record({ after: fc.integer({ min: 1, max: 12 }) })),
);

const anyPatch = fc
  .record({
    wishes: fc.tuple(...slugs.map(() => fc.constantFrom('add', 'remove', 'leave'))),
    end: anyEnd,
    by: fc.constantFrom('bob', 'cyd'),
  })
  .filter(({ wishes }) => wishes.some((wish) => wish !== 'leave'))
  .map(({ wishes, end, by }): Untimed => {
    const [add, remove] = ['add', 'remove'].map((wish) => slugs.filter((_, i) => wishes[i] === wish));
    return (at) =>
      patched(at, { add: add!, remove: remove!, by, ...(end && { end: 'after' in end ? { expiresAt: at + end.after } : end }) });
  });

const anyDefinition = fc
  .record({ kind: fc.constantFrom('create', 'rate', 'rate', 'delete'), slug: fc.constantFrom(...slugs), buckets: anyBuckets })
  .map(({ kind, slug, buckets }): Untimed => {
    if (kind === 'delete') return (at) => deleted(at, slug);
    return (at) => (kind === 'create' ? created : rated)(at, slug, buckets);
  });

/** Commands on two segments, which mostly live: dense enough that ends, percentages and deletions meet in one second. */
const anyCommands = fc
  .record({
    first: fc.array(anyBuckets, { minLength: slugs.length, maxLength: slugs.length }),
    rest: fc.array(
      fc.tuple(
        fc.integer({ min: 1, max: 4 }),
        fc.oneof({ weight: 3, arbitrary: anyPatch }, { weight: 2, arbitrary: anyDefinition }),
      ),
      {
        maxLength: 14,
      },
    ),
  })
  .map(({ first, rest }) => {
    let at = slugs.length;
    return [...slugs.map((slug, i) => created(i, slug, first[i])), ...rest.map(([pause, command]) => command((at += pause)))];
  });

/** How long before it is applied each decision is made. */
const anyPace = fc.nat(1_000);

const facts = (commands: readonly ModelCommand[], pace: number) => runCore(commands, (limit) => pace % limit).facts;

function anyHistory(): fc.Arbitrary<Facts> {
  return fc.tuple(anyCommands, anyPace).map(([commands, pace]) => facts(commands, pace));
}
