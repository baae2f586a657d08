import fc from 'fast-check';
import { bucketOf } from '../../src/rollout/bucket.ts';
import { firstBuckets, type Ranges } from '../../src/rollout/ranges.ts';
import type { Command, End } from '../../src/timeline/decide.ts';
import { indexDefinitions } from '../../src/timeline/definitions.ts';
import type { Facts, Moment, Rollout, Segment, Stay } from '../../src/timeline/facts.ts';

/** All that was asked for was asked before this moment; ends, plans and scheduled percentages reach up to the horizon. */
export const present: Moment = 40;
export const horizon: Moment = 80;

const users = fc.constantFrom('1000', '1002', 'user-1');
const actors = fc.constantFrom('ann', 'bob', 'cyd');
const causes = fc.constantFrom('request' as const, 'import' as const);

/** Nobody, everybody, all up to the user's bucket with it or without it, or a range of a group that begins with it. */
const rangesFor = (bucket: number): fc.Arbitrary<Ranges> =>
  fc.constantFrom(firstBuckets(0), firstBuckets(10_000), firstBuckets(bucket), firstBuckets(bucket + 1), [
    [bucket, bucket + 7],
  ] as const);

interface Life {
  id: number;
  slug: string;
  exclusiveGroup: string | null;
  from: Moment;
  to: Moment;
}

const anyLife = (userId: string, { id, slug, exclusiveGroup, from, to }: Life): fc.Arbitrary<Segment> =>
  fc
    .record({
      salt: exclusiveGroup === null ? fc.constantFrom('A', 'B', 'salt') : fc.constant(exclusiveGroup),
      createdAt: fc.integer({ min: from, max: to - 2 }),
      lasts: fc.option(fc.integer({ min: 1, max: to })),
      by: actors,
    })
    .chain(({ salt, createdAt, lasts, by }) => {
      const deletedAt = lasts === null || createdAt + lasts >= to ? Infinity : createdAt + lasts;
      const changes = fc.uniqueArray(fc.integer({ min: createdAt + 1, max: horizon }), { maxLength: 4 });
      const sets = fc.array(fc.tuple(rangesFor(bucketOf(salt, userId)), actors), { minLength: 5, maxLength: 5 });
      return fc.tuple(changes, sets).map(([moments, values]): Segment => {
        const starts = [createdAt, ...moments.toSorted((a, b) => a - b)];
        const rollouts = starts.map((startsAt, i): Rollout => {
          const [ranges, changedBy] = values[i]!;
          return { startsAt, endsAt: starts[i + 1] ?? Infinity, ranges, changedBy };
        });
        const deletedBy = deletedAt === Infinity ? null : by;
        return { id, slug, salt, exclusiveGroup, createdAt, createdBy: by, deletedAt, deletedBy, rollouts };
      });
    });

/**
 * The stays of one pair: past ones apart from each other, perhaps one that nobody has ended (it may be over all the same),
 * and perhaps a plan that has started meanwhile or will.
 */
function anyStays({ id, createdAt, deletedAt }: Segment): fc.Arbitrary<Stay[]> {
  const lastCommand = Math.min(deletedAt, present) - 1;
  const commands = fc.integer({ min: createdAt, max: lastCommand });
  const effects = fc.array(anyEffect, { minLength: 10, maxLength: 10 });
  const ends = fc.option(fc.integer({ min: 1, max: horizon }), { nil: Infinity });
  return fc
    .record({
      bounds: fc.uniqueArray(commands, { maxLength: 8 }),
      effects,
      opens: fc.boolean(),
      openFor: ends,
      planAfter: ends,
      planFor: ends,
    })
    .map(({ bounds, effects, opens, openFor, planAfter, planFor }) => {
      const moments = bounds.toSorted((a, b) => a - b);
      const begin = (i: number, startsAt: Moment, endsAt: Moment): Stay => {
        const { excluded, begunBy, begunCause } = effects[i]!;
        return {
          segmentId: id,
          startsAt,
          endsAt,
          since: startsAt,
          excluded,
          begunBy,
          begunCause,
          endedBy: null,
          endedCause: null,
        };
      };
      const past = moments.slice(0, -1).flatMap((startsAt, i): Stay[] => {
        const { hasGap, excluded, endedBy, endedCause } = effects[i]!;
        const end = { endedBy, endedCause: excluded ? 'request' : endedCause } as const; // an exclusion has no TTL
        return hasGap ? [] : [{ ...begin(i, startsAt, moments[i + 1]!), ...end }];
      });
      const last = moments.at(-1);
      const open = opens && last !== undefined ? [begin(8, last, last + openFor)].map(forGoodIfExcluded) : [];
      const planAt = (last ?? createdAt) + planAfter;
      const plan = planAt < Infinity ? [{ ...begin(9, planAt, planAt + planFor), excluded: false }] : [];
      return [...past, ...open, ...plan];
    });
}

const anyEffect = fc.record({
  hasGap: fc.boolean(),
  excluded: fc.boolean(),
  begunBy: actors,
  begunCause: causes,
  endedBy: actors,
  endedCause: fc.constantFrom('ttl' as const, 'request' as const, 'import' as const),
});

const forGoodIfExcluded = (stay: Stay): Stay => (stay.excluded ? { ...stay, endsAt: Infinity } : stay);

/**
 * Any facts that the database could hold of one user: two lives of A and one of B, with all that may meet in one moment. Of
 * some both or all are in one exclusive group, where they share no bucket and the user is by hand in one at a time.
 */
export const anyFacts: fc.Arbitrary<Facts> = fc
  .tuple(users, fc.constantFrom(null, null, 'G'), fc.boolean())
  .chain(([userId, group, wasInGroup]) =>
    fc
      .tuple(
        anyLife(userId, { id: 1, slug: 'A', exclusiveGroup: wasInGroup ? group : null, from: 0, to: 16 }),
        anyLife(userId, { id: 2, slug: 'A', exclusiveGroup: group, from: 17, to: present - 1 }),
        anyLife(userId, { id: 3, slug: 'B', exclusiveGroup: group, from: 0, to: present - 1 }),
        fc.boolean(),
      )
      .map(([former, latter, other, livesTwice]) => {
        const deletedAt = Math.min(former.deletedAt, 16);
        const ended = { ...former, deletedAt, deletedBy: former.deletedBy ?? 'eve' };
        return livesTwice ? [ended, latter, other] : [latter, other];
      })
      .map(withoutSharedBuckets)
      .chain((segments) =>
        fc.tuple(...segments.map((segment) => anyStays(segment))).map((stays): Facts => ({
          userId,
          revision: present * 1000 - 1,
          definitions: indexDefinitions(1, present * 1000 - 1, segments),
          stays: withoutConflicts(segments, stays),
        })),
      ),
  );

/** B takes only what no A of its group has at the time. */
function withoutSharedBuckets(segments: readonly Segment[]): Segment[] {
  const others = segments.slice(0, -1);
  const last = segments.at(-1)!;
  const rollouts = last.rollouts.map((rollout) => {
    const taken = others.filter((other) => areRivals(other, last)).flatMap((other) => whileBoth(other, rollout));
    return { ...rollout, ranges: taken.reduce(without, rollout.ranges) };
  });
  return [...others, { ...last, rollouts }];
}

const areRivals = (one: Segment, other: Segment): boolean =>
  one.exclusiveGroup !== null && one.exclusiveGroup === other.exclusiveGroup;

/** What the segment takes at some moment of the time of a rollout. */
const whileBoth = ({ rollouts, deletedAt }: Segment, { startsAt, endsAt }: Rollout): Ranges[] =>
  rollouts.filter((its) => its.startsAt < endsAt && Math.min(its.endsAt, deletedAt) > startsAt).map(({ ranges }) => ranges);

const without = (ranges: Ranges, taken: Ranges): Ranges =>
  taken.reduce<Ranges>(
    (left, [from, to]) =>
      left.flatMap(([a, b]) => [[a, Math.min(b, from)] as const, [Math.max(a, to), b] as const]).filter(([a, b]) => a < b),
    ranges,
  );

/** Of B no stay that puts the user in while one of A does, in a group. */
function withoutConflicts(segments: readonly Segment[], stays: readonly Stay[][]): Stay[] {
  const last = segments.at(-1)!;
  const rivals = segments.slice(0, -1).flatMap((other, i) => (areRivals(other, last) ? timesIn(other, stays[i]!) : []));
  let own = stays.at(-1)!;
  for (;;) {
    // What is left out lets what it had cut go on, so look again.
    const inTheWay = timesIn(last, own).find((time) => rivals.some(({ from, to }) => from < time.to && time.from < to));
    if (!inTheWay) return [...stays.slice(0, -1).flat(), ...own];
    own = own.filter((stay) => stay !== inTheWay.stay);
  }
}

/** From when to when each stay that puts the user in counts. */
const timesIn = ({ deletedAt }: Segment, stays: readonly Stay[]): { from: Moment; to: Moment; stay: Stay }[] =>
  stays
    .toSorted((a, b) => a.startsAt - b.startsAt)
    .map((stay, i, all) => ({
      from: stay.startsAt,
      to: Math.min(stay.endsAt, deletedAt, all[i + 1]?.startsAt ?? Infinity),
      stay,
    }))
    .filter(({ from, to, stay }) => !stay.excluded && from < to);

/** What somebody might ask for, with every kind of start and end; it may name what does not live. */
export const anyCommand: fc.Arbitrary<Command> = fc
  .record({
    wishes: fc.tuple(fc.constantFrom('add', 'remove', 'leave'), fc.constantFrom('add', 'remove', 'leave')),
    start: fc.option(fc.integer({ min: present + 1, max: horizon }), { freq: 1 }),
    replaceInGroup: fc.boolean(),
    end: fc.oneof(
      fc.constant<End>({ kind: 'never' }),
      fc.integer({ min: present + 1, max: horizon }).map((moment): End => ({ kind: 'at', moment })),
      fc.integer({ min: 1, max: horizon }).map((milliseconds): End => ({ kind: 'ttl', milliseconds })),
    ),
    actor: fc.constantFrom('dan', 'eve'),
    cause: causes,
  })
  .map(({ wishes, start, replaceInGroup, ...rest }) => {
    const named = (wish: string) => ['A', 'B'].filter((_, i) => wishes[i] === wish);
    const add = named('add');
    const plan = add.length > 0 ? start : null; // the service refuses a start, and making room, without an add
    return {
      add,
      remove: named('remove'),
      start: plan,
      replaceInGroup: replaceInGroup && add.length > 0 && plan === null,
      ...rest,
    };
  });
