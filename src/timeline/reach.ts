import { indexDefinitions } from './definitions.ts';
import type { Definitions, Moment, Segment } from './facts.ts';

/** Of what a report of many users is made: which segments and users can have an event in a period at all. */
export interface Reach {
  /** To be told with: with facts narrowed to `segmentIds`, every event of the period follows from them. */
  readonly definitions: Definitions;
  /** The segments whose stays matter; null: all. */
  readonly segmentIds: readonly number[] | null;
  /** Whether a percentage may have moved users of whom nothing was said by hand; else those with stays are all. */
  readonly isEverybody: boolean;
}

/**
 * What the events with `from <= at < to` depend on, of all segments or of all lives of a slug. What is left out is left out
 * because nobody enters or leaves by it: percentages that do not change in the period and belong to no exclusive group. In
 * a group a stay elsewhere makes a percentage yield, so there the others matter too.
 */
export function reachOf(all: Definitions, from: Moment, to: Moment, slug?: string): Reach {
  const overlaps = ({ createdAt, deletedAt }: Segment) => createdAt < to && deletedAt >= from;
  const isWithin = (moment: Moment) => moment >= from && moment < to;
  const changes = ({ createdAt, deletedAt, rollouts }: Segment) =>
    [createdAt, deletedAt, ...rollouts.map(({ startsAt }) => startsAt)].some(isWithin);

  const isAsked = (segment: Segment) => overlaps(segment) && (slug === undefined || segment.slug === slug);
  const withRollout = all.withRollout.filter(isAsked);
  const groups = new Set(withRollout.map(({ exclusiveGroup }) => exclusiveGroup));
  const isRival = ({ exclusiveGroup }: Segment) => exclusiveGroup !== null && groups.has(exclusiveGroup);
  const near = all.segments.filter((segment) => isAsked(segment) || isRival(segment));
  const definitions = slug === undefined ? all : indexDefinitions(all.version, all.revision, near);
  return {
    definitions: { ...definitions, withRollout: withRollout.filter((one) => one.exclusiveGroup !== null || changes(one)) },
    segmentIds: slug === undefined ? null : near.map(({ id }) => id),
    isEverybody: withRollout.some(changes),
  };
}
