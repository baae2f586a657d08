import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sizeOf } from '../../src/rollout/ranges.ts';
import { livesAt, livingAt, rolloutAt } from '../../src/timeline/definitions.ts';
import { eventsBetween } from '../../src/timeline/events.ts';
import type { Facts } from '../../src/timeline/facts.ts';
import { segmentsAt } from '../../src/timeline/segments-at.ts';
import { runCore, second } from './core-run.ts';
import type { ModelCommand } from './reference-model.ts';
import { cancelled, created, deleted, grouped, patched, rated, scheduled } from './story.ts';

// The invariants of ARCHITECTURE.md, over whatever people may have asked for.

const slugs = ['A', 'B'];
// MODEL_RUNS: so many of each.
const runs = { numRuns: Number(process.env.MODEL_RUNS ?? 2_000) };

test('invariant 1: what counts of a user and segment never overlaps, none is empty, and at most one is planned', () => {
  fc.assert(
    fc.property(anyCommands, anyPace, (commands, pace) => {
      const lastAt = commands.at(-1)!.at * second;
      for (const stays of Map.groupBy(facts(commands, pace).stays, ({ segmentId }) => segmentId).values()) {
        const byStart = stays.toSorted((a, b) => a.startsAt - b.startsAt);
        for (const [i, { startsAt, endsAt, endedCause }] of byStart.entries()) {
          assert.ok(startsAt < endsAt, `[${startsAt}, ${endsAt})`);
          const next = byStart[i + 1];
          if (!next) continue;
          assert.ok(startsAt < next.startsAt, `two from ${startsAt}`); // until a plan takes over, what holds goes on
          if (endedCause !== null) assert.ok(endsAt <= next.startsAt, `[${startsAt}, ${endsAt}), next from ${next.startsAt}`);
        }
        assert.ok(byStart.filter(({ startsAt }) => startsAt > lastAt).length <= 1);
      }
    }),
    runs,
  );
});

test('an end that was moved keeps since: it is the start of the unbroken stretch of stays', () => {
  fc.assert(
    fc.property(anyHistory(), (facts) => {
      for (const stays of Map.groupBy(facts.stays, ({ segmentId }) => segmentId).values()) {
        const byStart = stays.toSorted((a, b) => a.startsAt - b.startsAt);
        for (const [i, stay] of byStart.entries()) {
          const before = byStart[i - 1];
          const isUnbroken = before && before.endsAt >= stay.startsAt && !before.excluded && !stay.excluded;
          // One that ran out at the very start goes on where the other was planned before, and not where it was added then.
          const ranOut = before?.endsAt === stay.startsAt && (before.endedCause === 'ttl' || before.endedCause === null);
          const expected = isUnbroken ? [before.since, ...(ranOut ? [stay.startsAt] : [])] : [stay.startsAt];
          assert.ok(expected.includes(stay.since), `${stay.since} of ${stay.startsAt}`);
        }
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
      const planned = plannedIn(commands);
      let at = commands.at(-1)!.at + 1;
      while (planned.has(at)) at++;
      const before = facts(commands, pace);
      const living = livingAt(before.definitions, slug, at * second);
      const now = sizeOf((living && rolloutAt(living, at * second)?.ranges) ?? []);
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

test('invariant 7: two segments of one group never share a user, nor a bucket, at any moment', () => {
  fc.assert(
    fc.property(anyHistory(), (facts) => {
      for (const moment of momentsOf(facts)) {
        const lives = segmentsAt(facts, moment).map((slug) => livingAt(facts.definitions, slug, moment)!);
        const groups = lives.flatMap(({ exclusiveGroup }) => exclusiveGroup ?? []);
        assert.equal(new Set(groups).size, groups.length, `at ${moment}`);
      }
      const grouped = facts.definitions.segments.filter(({ exclusiveGroup }) => exclusiveGroup !== null);
      for (const moment of grouped.flatMap(({ rollouts }) => rollouts.map(({ startsAt }) => startsAt))) {
        const ranges = grouped.flatMap((one) => (livesAt(one, moment) ? rolloutAt(one, moment)!.ranges : []));
        const inOrder = ranges.toSorted(([a], [b]) => a - b);
        for (const [i, [from]] of inOrder.entries()) assert.ok(i === 0 || from >= inOrder[i - 1]![1], `${from} at ${moment}`);
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

const anyGroup = fc.constantFrom(undefined, 'G', 'G');
const anyCreated = (at: number, slug: string, group: string | undefined, buckets: number) =>
  group === undefined ? created(at, slug, buckets) : grouped(at, slug, group, buckets);

const anyPatch = fc
  .record({
    wishes: fc.tuple(...slugs.map(() => fc.constantFrom('add', 'remove', 'leave'))),
    startsAfter: fc.option(fc.integer({ min: 1, max: 8 }), { freq: 1 }),
    replaceInGroup: fc.boolean(),
    end: anyEnd,
    by: fc.constantFrom('bob', 'cyd'),
  })
  .filter(({ wishes }) => wishes.some((wish) => wish !== 'leave'))
  .map(({ wishes, startsAfter, replaceInGroup, end, by }): Untimed => {
    const [add, remove] = ['add', 'remove'].map((wish) => slugs.filter((_, i) => wishes[i] === wish));
    if (add!.length === 0) return (at) => patched(at, { remove: remove!, by });
    return (at) => {
      const startsAt = startsAfter === null ? undefined : at + startsAfter;
      return patched(at, {
        add: add!,
        remove: remove!,
        by,
        ...(startsAt === undefined ? { replaceInGroup } : { startsAt }),
        ...(end && { end: 'after' in end ? { expiresAt: (startsAt ?? at) + end.after } : end }),
      });
    };
  });

const anyDefinition = fc
  .record({
    kind: fc.constantFrom('create', 'rate', 'rate', 'schedule', 'schedule', 'cancel', 'delete'),
    slug: fc.constantFrom(...slugs),
    group: anyGroup,
    buckets: anyBuckets,
    pause: fc.integer({ min: 1, max: 8 }),
  })
  .map(({ kind, slug, group, buckets, pause }): Untimed => {
    if (kind === 'delete') return (at) => deleted(at, slug);
    if (kind === 'schedule') return (at) => scheduled(at, slug, at + pause, buckets);
    if (kind === 'cancel') return (at) => cancelled(at, slug, at + pause);
    return (at) => (kind === 'rate' ? rated(at, slug, buckets) : anyCreated(at, slug, group, buckets));
  });

/** Commands on two segments, which mostly live: dense enough that ends, percentages and deletions meet in one second. */
const anyCommands = fc
  .record({
    first: fc.array(fc.tuple(anyGroup, anyBuckets), { minLength: slugs.length, maxLength: slugs.length }),
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
    const all = [
      ...slugs.map((slug, i) => anyCreated(i, slug, ...first[i]!)),
      ...rest.map(([pause, command]) => command((at += pause))),
    ];
    const planned = plannedIn(all);
    return all.filter((command) => command.kind === 'patch' || !planned.has(command.at));
  });

/** Seconds for which a percentage is planned: who changes a segment then comes a little later. */
const plannedIn = (commands: readonly ModelCommand[]): Set<number> =>
  new Set(commands.flatMap((command) => (command.kind === 'percent' ? (command.effectiveAt ?? []) : [])));

/** How long before it is applied each decision is made. */
const anyPace = fc.nat(1_000);

const facts = (commands: readonly ModelCommand[], pace: number) => runCore(commands, (limit) => pace % limit).facts;

function anyHistory(): fc.Arbitrary<Facts> {
  return fc.tuple(anyCommands, anyPace).map(([commands, pace]) => facts(commands, pace));
}
