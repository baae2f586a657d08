import { percentOf, type Ranges } from '../rollout/ranges.ts';
import { type Event, eventsBetween } from '../timeline/events.ts';
import type { Definitions, Facts, Moment, Segment } from '../timeline/facts.ts';
import { segmentOf } from '../timeline/pair.ts';
import { compare, type Position } from './position.ts';

/** A segment was made, takes other users, or was deleted: whoever came or went by it is not told one by one. */
export interface SegmentChange {
  readonly at: Moment;
  readonly slug: string;
  readonly change: 'created' | 'percent' | 'deleted';
  /** What it takes from then on. */
  readonly percent: number;
  readonly ranges: Ranges;
  readonly actor: string;
}

/** What a stream tells as one event. */
export type Happening = { readonly position: Position; readonly slug: string } & (
  | { readonly userId: string; readonly event: Event }
  | { readonly userId: null; readonly change: SegmentChange }
);

/** Facts of one user, for all that is told of it from a moment on. */
export type KnownFacts = Pick<Facts, 'userId' | 'stays'>;

/**
 * All that happened behind one place and up to another, in order. `known`: everybody for whom a stay begins or ends from the
 * moment of the first place on, with all that was said of them since.
 */
export function happeningsBetween(
  after: Position,
  upTo: Position,
  definitions: Definitions,
  known: readonly KnownFacts[],
): Happening[] {
  const changes = segmentChanges(definitions, after.at, upTo.at);
  const ofSegments = counted('', changes, (change) => ({ slug: change.slug, userId: null, change }));
  const ofUsers = known.flatMap(({ userId, stays }) => {
    const events = userEvents({ userId, stays, definitions, revision: null }, after.at, upTo.at);
    return counted(userId, events, (event) => ({ slug: event.segment, userId, event }));
  });
  return [...ofSegments, ...ofUsers]
    .filter(({ position }) => compare(position, after) > 0 && compare(position, upTo) <= 0)
    .sort((a, b) => compare(a.position, b.position));
}

/** Numbers what happened to somebody within each moment: the place behind the first one is 1. */
function counted<T extends { readonly at: Moment }, Told>(
  userId: string,
  inOrder: readonly T[],
  tell: (one: T) => Told,
): (Told & { position: Position })[] {
  let [at, count] = [-1, 0];
  return inOrder.map((one) => {
    count = one.at === at ? count + 1 : 1;
    at = one.at;
    return { position: { at, userId, count }, ...tell(one) };
  });
}

/**
 * The user's entries and exits with `from <= at <= to`, but for those by a percentage or a deletion. Each of these is at the
 * start or the end of a stay, in its own segment or in another one of the group, so the rest need not be looked at.
 */
export function userEvents(facts: Facts, from: Moment, to: Moment): Event[] {
  const isWithin = (moment: Moment) => moment >= from && moment <= to;
  const touched = new Set<Segment>();
  for (const { segmentId, startsAt, endsAt } of facts.stays)
    if (isWithin(startsAt) || isWithin(endsAt)) touched.add(segmentOf(facts, segmentId));
  if (touched.size === 0) return [];
  const groups = new Set([...touched].map(({ exclusiveGroup }) => exclusiveGroup));
  groups.delete(null);
  const isNear = (segment: Segment) => touched.has(segment) || groups.has(segment.exclusiveGroup);
  const stays = facts.stays.filter(({ segmentId }) => isNear(segmentOf(facts, segmentId)));
  const withRollout =
    groups.size === 0 ? [] : facts.definitions.withRollout.filter(({ exclusiveGroup }) => groups.has(exclusiveGroup));
  return eventsBetween({ ...facts, stays, definitions: { ...facts.definitions, withRollout } }, from, to + 1).filter(isTold);
}

const isTold = ({ cause }: Event): boolean => cause !== 'rollout' && cause !== 'segment_deleted';

/** The changes of segments with `from <= at <= to`, in time order, within a moment by slug. */
export function segmentChanges({ segments }: Definitions, from: Moment, to: Moment): SegmentChange[] {
  return segments
    .filter(({ createdAt, deletedAt }) => createdAt <= to && deletedAt >= from)
    .flatMap(lifeOf)
    .filter(({ at }) => at >= from && at <= to)
    .sort((a, b) => a.at - b.at || (a.slug < b.slug ? -1 : 1));
}

function lifeOf({ slug, createdAt, createdBy, deletedAt, deletedBy, rollouts }: Segment): SegmentChange[] {
  const told: SegmentChange[] = [];
  let before = 'none';
  for (const { startsAt: at, ranges, changedBy } of rollouts) {
    const text = String(ranges);
    if (at >= deletedAt || (at > createdAt && text === before)) continue;
    before = text;
    const made = at <= createdAt;
    told.push({
      at,
      slug,
      change: made ? 'created' : 'percent',
      percent: percentOf(ranges),
      ranges,
      actor: made ? createdBy : changedBy,
    });
  }
  if (deletedAt < Infinity) told.push({ at: deletedAt, slug, change: 'deleted', percent: 0, ranges: [], actor: deletedBy! });
  return told;
}

/** The next moment after one at which a percentage is planned to change; `Infinity` where there is none. */
export function nextPlanned({ segments }: Definitions, after: Moment): Moment {
  let next = Infinity;
  for (const { rollouts } of segments) for (const { startsAt } of rollouts) if (startsAt > after) next = Math.min(next, startsAt);
  return next;
}
