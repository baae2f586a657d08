import { bucketCount } from '../rollout/bucket.ts';
import { type Full, heldFrom, planShares, type Share } from '../rollout/taking.ts';
import { countBegun } from '../timeline/definitions.ts';
import type { Definitions, Moment, Rollout, Segment } from '../timeline/facts.ts';

/** What stands from a moment on, by its start, in place of what stood there. */
export interface NewRollouts {
  readonly rows: readonly Omit<Rollout, 'endsAt'>[];
  /** The moment up to which the decision is good, not included. */
  readonly goodUntil: Moment;
}

/** There is no room: what nobody has from then on, and who has the rest. */
export interface NoRoom {
  readonly free: number;
  readonly holders: readonly { readonly slug: string; readonly percent: number }[];
}

/** The other living segments of an exclusive group. */
export const matesIn = <S extends Segment>(definitions: Definitions<S>, group: string | null, but?: Segment): S[] =>
  group === null
    ? []
    : definitions.segments.filter((one) => one.exclusiveGroup === group && one.deletedAt === Infinity && one.id !== but?.id);

/**
 * What a segment takes when its share changes: now (`share.at` is the moment of the decision), at a moment to come, or when
 * a plan is taken back. `segment` is null for a new one.
 */
export function reshare(
  segment: Segment | null,
  mates: readonly Segment[],
  share: Share,
  { now, by }: { now: Moment; by: string },
): NewRollouts | NoRoom {
  const own = segment?.rollouts ?? [];
  const others = mates.map(({ rollouts }) => rollouts);
  const plan = planShares(own, others, share);
  if (isFull(plan))
    return { free: plan.free / (bucketCount / 100), holders: holdersAt([...(segment ? [segment] : []), ...mates], plan.at) };
  const changedBy = (startsAt: Moment) =>
    startsAt === share.at ? by : own.find((rollout) => rollout.startsAt === startsAt)!.changedBy;
  return {
    rows: plan.holdings.map(({ startsAt, ranges }) => ({ startsAt, ranges, changedBy: changedBy(startsAt) })),
    goodUntil: share.at > now ? share.at : nextChange([own, ...others], now),
  };
}

/** The rollouts as they are with these from a moment on: each begins where the one before ends. */
export function withRows(rollouts: readonly Rollout[], after: Moment, rows: readonly Omit<Rollout, 'endsAt'>[]): Rollout[] {
  const kept = rollouts.filter(({ startsAt }) => startsAt < after);
  const all = [...kept, ...rows];
  return all.map(({ startsAt, ranges, changedBy }, i) => ({
    startsAt,
    endsAt: all[i + 1]?.startsAt ?? Infinity,
    ranges,
    changedBy,
  }));
}

/** What is still to come of a segment, by its start. */
export const scheduledOf = ({ rollouts }: Segment, now: Moment): Rollout[] => rollouts.slice(countBegun(rollouts, now));

const isFull = (plan: object): plan is Full => 'free' in plan;

function holdersAt(segments: readonly Segment[], at: Moment): NoRoom['holders'] {
  return segments
    .map(({ slug, rollouts }) => ({ slug, percent: heldFrom(rollouts, at) / (bucketCount / 100) }))
    .filter(({ percent }) => percent > 0)
    .sort((a, b) => (a.slug < b.slug ? -1 : 1));
}

const nextChange = (lists: readonly (readonly Rollout[])[], now: Moment): Moment =>
  Math.min(Infinity, ...lists.flat().flatMap(({ startsAt }) => (startsAt > now ? [startsAt] : [])));
