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

/** The rollout in force at a moment of the segment's life. */
export function rolloutAt(segment: Segment, moment: Moment): Rollout | undefined {
  return segment.rollouts.findLast((rollout) => rollout.startsAt <= moment && moment < rollout.endsAt);
}
