import type { Definitions, Moment, Rollout, Segment } from './facts.ts';

/** Definitions from a plain list of segments, in any order. */
export function indexDefinitions<S extends Segment>(version: number, revision: number, segments: readonly S[]): Definitions<S> {
  const byAge = segments.toSorted((a, b) => a.createdAt - b.createdAt || a.id - b.id);
  return {
    version,
    revision,
    segments: byAge,
    byId: new Map(byAge.map((segment) => [segment.id, segment])),
    bySlug: Map.groupBy(byAge, (segment) => segment.slug),
    withRollout: byAge.filter((segment) => segment.rollouts.some((rollout) => rollout.ranges.length > 0)),
  };
}

export const livesAt = (segment: Segment, moment: Moment): boolean => moment >= segment.createdAt && moment < segment.deletedAt;

/** The newest life of a slug that had begun by the moment, over or not; `undefined` when there is none. */
export function lifeAt<S extends Segment>(definitions: Definitions<S>, slug: string, moment: Moment): S | undefined {
  return definitions.bySlug.get(slug)?.findLast((segment) => segment.createdAt <= moment);
}

/** The segment that bears the slug at the moment. */
export function livingAt<S extends Segment>(definitions: Definitions<S>, slug: string, moment: Moment): S | undefined {
  const life = lifeAt(definitions, slug, moment);
  return life && livesAt(life, moment) ? life : undefined;
}

/** The segment that bears the slug by now. Nobody deletes ahead of time, so the newest life lives if it has no end. */
export const livingOf = <S extends Segment>(definitions: Definitions<S>, slug: string): S | undefined =>
  definitions.bySlug.get(slug)?.findLast(({ deletedAt }) => deletedAt === Infinity);

/** The rollout in force at a moment of the segment's life: the newest begun, as in `inForce`. */
export function rolloutAt({ rollouts }: Segment, moment: Moment): Rollout | undefined {
  const newest = rollouts[countBegun(rollouts, moment) - 1];
  return newest && moment < newest.endsAt ? newest : undefined;
}

/** How many of a list sorted by start have begun by the moment. Lists grow long, and histories ask at each boundary. */
export function countBegun(list: readonly { readonly startsAt: Moment }[], moment: Moment): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]!.startsAt <= moment) low = middle + 1;
    else high = middle;
  }
  return low;
}
