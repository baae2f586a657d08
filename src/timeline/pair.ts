import { bucketOf } from '../rollout/bucket.ts';
import { covers } from '../rollout/ranges.ts';
import { countBegun, livesAt, rolloutAt } from './definitions.ts';
import type { Facts, Moment, Rollout, Segment, Stay } from './facts.ts';

/** One user and one segment: all that decides whether the one is in the other. */
export interface Pair {
  readonly segment: Segment;
  /** By their start. */
  readonly stays: readonly Stay[];
  /** 0 to 9999; 0 where the segment never takes a percentage and nobody asks. */
  readonly bucket: number;
}

/** How a user stands with a segment at a moment. */
export interface Standing {
  readonly member: boolean;
  /** The stay that counts then: an include or an exclude. */
  readonly stay: Stay | undefined;
  /** The rollout in force then, also at 0 percent. */
  readonly rollout: Rollout | undefined;
}

const outside: Standing = { member: false, stay: undefined, rollout: undefined };

export const pairOf = (facts: Facts, segment: Segment): Pair => pair(facts, segment, staysOf(facts, segment.id));

/** The pairs about which anything is to be said: those with a stay, and all segments with a rollout. */
export function pairsOf(facts: Facts): Pair[] {
  const bySegment = Map.groupBy(facts.stays, (stay) => stay.segmentId);
  const segments = new Set(facts.definitions.withRollout);
  for (const id of bySegment.keys()) segments.add(segmentOf(facts, id));
  return [...segments].map((segment) => pair(facts, segment, bySegment.get(segment.id)?.toSorted(byStart) ?? []));
}

export function standingAt({ segment, stays, bucket }: Pair, moment: Moment): Standing {
  if (!livesAt(segment, moment)) return outside;
  const stay = inForce(stays, moment);
  const rollout = rolloutAt(segment, moment);
  const member = stay ? !stay.excluded : rollout !== undefined && covers(rollout.ranges, bucket);
  return { member, stay, rollout };
}

/** The stay that counts at the moment, of stays sorted by their start: the newest begun, if it has not ended. */
export function inForce(stays: readonly Stay[], moment: Moment): Stay | undefined {
  const newest = stays[countBegun(stays, moment) - 1];
  return newest && moment < newest.endsAt ? newest : undefined;
}

/** What names a stay among all of a user's that nobody has ended: the primary key of its row, less the user. */
export const stayKey = ({ segmentId, startsAt }: Pick<Stay, 'segmentId' | 'startsAt'>): string => `${segmentId} ${startsAt}`;

/** Every moment at which time alone, or what was recorded, may change the standing; ascending, none twice. */
export function boundaries({ segment, stays }: Pair): Moment[] {
  const moments = new Set([segment.createdAt, segment.deletedAt]);
  for (const { startsAt, endsAt } of stays) moments.add(startsAt).add(endsAt);
  for (const { startsAt } of segment.rollouts) moments.add(startsAt);
  return [...moments]
    .filter((moment) => moment >= segment.createdAt && moment <= segment.deletedAt && moment < Infinity)
    .sort((a, b) => a - b);
}

/** The stays of one segment by their start. */
export const staysOf = (facts: Facts, segmentId: number): Stay[] =>
  facts.stays.filter((stay) => stay.segmentId === segmentId).sort(byStart);

export function segmentOf(facts: Facts, segmentId: number): Segment {
  const segment = facts.definitions.byId.get(segmentId);
  if (!segment)
    throw new Error(
      `the facts of ${facts.userId} name segment ${segmentId}, which definitions ${facts.definitions.version} lack`,
    );
  return segment;
}

const pair = (facts: Facts, segment: Segment, stays: readonly Stay[]): Pair => ({
  segment,
  stays,
  bucket: bucketOf(segment.salt, facts.userId),
});

const byStart = (a: Stay, b: Stay) => a.startsAt - b.startsAt;
