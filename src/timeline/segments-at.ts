import { livesAt, rolloutAt } from './definitions.ts';
import type { Facts, Moment, Stay } from './facts.ts';
import { segmentOf } from './pair.ts';
import { bucketOf } from '../rollout/bucket.ts';
import { covers } from '../rollout/ranges.ts';

/**
 * The slugs of the segments that the user is effectively in at the moment, in byte order.
 * By hand, or by a rollout that covers the user and from which nobody excluded them.
 */
export function segmentsAt(facts: Facts, moment: Moment): string[] {
  const byHand = newestBegun(facts.stays, moment);
  const slugs: string[] = [];
  /** Groups of which the user is in one by hand: to that the percentages of the others yield. */
  const taken = new Set<string | null>();
  for (const [segmentId, stay] of byHand) {
    if (moment >= stay.endsAt) byHand.delete(segmentId);
    else if (!stay.excluded) {
      const segment = segmentOf(facts, segmentId);
      if (!livesAt(segment, moment)) continue;
      slugs.push(segment.slug);
      if (segment.exclusiveGroup !== null) taken.add(segment.exclusiveGroup);
    }
  }
  for (const segment of facts.definitions.withRollout) {
    if (byHand.has(segment.id) || taken.has(segment.exclusiveGroup) || !livesAt(segment, moment)) continue;
    const ranges = rolloutAt(segment, moment)?.ranges;
    if (ranges && ranges.length > 0 && covers(ranges, bucketOf(segment.salt, facts.userId))) slugs.push(segment.slug);
  }
  return slugs.sort();
}

/** Of each segment the stay begun last: it cuts what began before it, ended or not. */
function newestBegun(stays: readonly Stay[], moment: Moment): Map<number, Stay> {
  const newest = new Map<number, Stay>();
  for (const stay of stays) {
    if (stay.startsAt > moment) continue;
    const known = newest.get(stay.segmentId);
    if (!known || known.startsAt < stay.startsAt) newest.set(stay.segmentId, stay);
  }
  return newest;
}
