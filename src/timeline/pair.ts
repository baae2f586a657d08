import { bucketOf } from '../rollout/bucket.ts';
import { covers } from '../rollout/ranges.ts';
import { countBegun, livesAt, rolloutAt } from './definitions.ts';
import type { Facts, Moment, Rollout, Segment, Stay } from './facts.ts';

/** One user and one segment: all that decides whether the one is in the other. */
export interface Pair {
  readonly segment: Segment;
  /** By their start. */
  readonly stays: readonly Stay[];
  /** The other segments of its exclusive group in which anything was said of the user by hand. */
  readonly rivals: readonly Rival[];
  /** 0 to 9999; 0 where the segment never takes a percentage and nobody asks. */
  readonly bucket: number;
}

/** A segment that a user cannot be in at the same time. */
export interface Rival {
  readonly segment: Segment;
  /** By their start. */
  readonly stays: readonly Stay[];
}

/** How a user stands with a segment at a moment. */
export interface Standing {
  readonly member: boolean;
  /** The stay that counts then: an include or an exclude. */
  readonly stay: Stay | undefined;
  /** The rollout in force then, also at 0 percent. */
  readonly rollout: Rollout | undefined;
  /** By what the user is in another one of the group by hand, where that alone keeps the rollout from taking them. */
  readonly rival: Stay | undefined;
}

export const outside: Standing = { member: false, stay: undefined, rollout: undefined, rival: undefined };

export const pairOf = (facts: Facts, segment: Segment): Pair =>
  pair(facts, segment, staysOf(facts, segment.id), rivalsOf(facts, segment));

/** The pairs about which anything is to be said: those with a stay, and all segments with a rollout. */
export function pairsOf(facts: Facts): Pair[] {
  const bySegment = Map.groupBy(facts.stays, (stay) => stay.segmentId);
  const segments = new Set(facts.definitions.withRollout);
  for (const id of bySegment.keys()) segments.add(segmentOf(facts, id));
  for (const [id, stays] of bySegment) bySegment.set(id, stays.toSorted(byStart));
  const withStays = [...bySegment].map(([id, stays]): Rival => ({ segment: segmentOf(facts, id), stays }));
  const byGroup = Map.groupBy(withStays, ({ segment }) => segment.exclusiveGroup);
  return [...segments].map((segment) => {
    const ofGroup = segment.exclusiveGroup === null ? [] : (byGroup.get(segment.exclusiveGroup) ?? []);
    const rivals = ofGroup.filter((other) => other.segment !== segment);
    return pair(facts, segment, bySegment.get(segment.id) ?? [], rivals);
  });
}

export function standingAt({ segment, stays, rivals, bucket }: Pair, moment: Moment): Standing {
  if (!livesAt(segment, moment)) return outside;
  const stay = inForce(stays, moment);
  const rollout = rolloutAt(segment, moment);
  if (stay) return { member: !stay.excluded, stay, rollout, rival: undefined };
  const isCovered = rollout !== undefined && covers(rollout.ranges, bucket);
  const rival = isCovered ? rivalAt(rivals, moment) : undefined;
  return { member: isCovered && !rival, stay, rollout, rival };
}

/** By what the user is in one of these by hand at the moment. */
export function rivalAt(rivals: readonly Rival[], moment: Moment): Stay | undefined {
  for (const { segment, stays } of rivals) {
    const stay = livesAt(segment, moment) ? inForce(stays, moment) : undefined;
    if (stay?.excluded === false) return stay;
  }
  return undefined;
}

/** The other segments of the group in which anything was said of the user by hand. */
export function rivalsOf(facts: Facts, segment: Segment): Rival[] {
  const group = segment.exclusiveGroup;
  if (group === null) return [];
  const ids = new Set(facts.stays.map(({ segmentId }) => segmentId));
  const others = [...ids]
    .map((id) => segmentOf(facts, id))
    .filter((other) => other.exclusiveGroup === group && other !== segment);
  return others.map((other) => ({ segment: other, stays: staysOf(facts, other.id) }));
}

/** The stay that counts at the moment, of stays sorted by their start: the newest begun, if it has not ended. */
export function inForce(stays: readonly Stay[], moment: Moment): Stay | undefined {
  const newest = stays[countBegun(stays, moment) - 1];
  return newest && moment < newest.endsAt ? newest : undefined;
}

/** What names a stay among all of a user's that nobody has ended: the primary key of its row, less the user. */
export const stayKey = ({ segmentId, startsAt }: Pick<Stay, 'segmentId' | 'startsAt'>): string => `${segmentId} ${startsAt}`;

/** Every moment at which time alone, or what was recorded, may change the standing; ascending, none twice. */
export function boundaries({ segment, stays, rivals }: Pair): Moment[] {
  const moments = new Set([segment.createdAt, segment.deletedAt]);
  for (const rival of rivals) {
    moments.add(rival.segment.createdAt).add(rival.segment.deletedAt);
    for (const { startsAt, endsAt } of rival.stays) moments.add(startsAt).add(endsAt);
  }
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

const pair = (facts: Facts, segment: Segment, stays: readonly Stay[], rivals: readonly Rival[]): Pair => ({
  segment,
  stays,
  rivals,
  bucket: bucketOf(segment.salt, facts.userId),
});

const byStart = (a: Stay, b: Stay) => a.startsAt - b.startsAt;
