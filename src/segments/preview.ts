import { bucketOf } from '../rollout/bucket.ts';
import { covers, type Ranges } from '../rollout/ranges.ts';
import type { Moment, Segment, Stay } from '../timeline/facts.ts';
import { type Pair, standingAt } from '../timeline/pair.ts';

/** How many ids an answer names. */
const maxNamed = 100;

/** Users who would enter or leave: how many, and the first of them. */
export interface Movement {
  readonly count: number;
  readonly userIds: readonly string[];
}

/** What a change of a percentage would do. */
export interface Preview {
  readonly slug: string;
  /** Percentages: that which would hold at the moment without the change, and with it. */
  readonly from: number;
  readonly to: number;
  /** Null: now. */
  readonly effectiveAt: Moment | null;
  /** Buckets. */
  readonly gained: number;
  readonly lost: number;
  readonly enter: Movement;
  readonly leave: Movement;
  readonly asOf: Moment;
}

/** A percentage of a segment in the place of another, at a moment. */
export interface PreviewedChange {
  readonly segment: Segment;
  readonly mates: readonly Segment[];
  readonly from: Ranges;
  readonly to: Ranges;
  readonly at: Moment;
}

/** Tells who would enter and who would leave, user by user; remembers counts and a few ids alone. */
export function previewer({ segment, mates, from, to, at }: PreviewedChange) {
  const [before, after] = [from, to].map((ranges) => withShare(segment, ranges)) as [Segment, Segment];
  const enter = { count: 0, userIds: [] as string[] };
  const leave = { count: 0, userIds: [] as string[] };
  const byId = new Map([segment, ...mates].map((one) => [one.id, one]));

  return {
    /** Whether the change may concern the user: only then are the stays needed. */
    concerns(userId: string): boolean {
      const bucket = bucketOf(segment.salt, userId);
      return covers(from, bucket) !== covers(to, bucket);
    },

    /** With the current and planned stays in the segment and its mates. */
    judge(userId: string, stays: readonly Stay[]): void {
      const bySegment = Map.groupBy(
        stays.toSorted((a, b) => a.startsAt - b.startsAt),
        ({ segmentId }) => segmentId,
      );
      const own = bySegment.get(segment.id) ?? [];
      bySegment.delete(segment.id);
      const rivals = [...bySegment].map(([id, theirs]) => ({ segment: byId.get(id)!, stays: theirs }));
      const pair = (of: Segment): Pair => ({ segment: of, stays: own, rivals, bucket: bucketOf(segment.salt, userId) });
      const [wasIn, isIn] = [standingAt(pair(before), at).member, standingAt(pair(after), at).member];
      if (wasIn === isIn) return;
      const movement = isIn ? enter : leave;
      movement.count++;
      if (movement.userIds.length < maxNamed) movement.userIds.push(userId);
    },

    movements: (): { enter: Movement; leave: Movement } => ({ enter, leave }),
  };
}

const withShare = (segment: Segment, ranges: Ranges): Segment => ({
  ...segment,
  rollouts: [{ startsAt: segment.createdAt, endsAt: Infinity, ranges, changedBy: '' }],
});
