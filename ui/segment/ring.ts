import type { Segment } from '../api/answers.ts';
import { bucketCount } from '../../src/rollout/bucket.ts';
import { noBuckets, type Ranges } from '../../src/rollout/ranges.ts';
import { type Holding, planShares } from '../../src/rollout/taking.ts';

/** A segment as the ring shows it. */
export interface Holder {
  readonly slug: string;
  readonly percent: number;
  readonly ranges: Ranges;
  /** Buckets for what is scheduled, which nobody else gets. */
  readonly reserved: Ranges;
}

export const holdersOf = (segments: readonly Segment[]): Holder[] =>
  segments.map(({ slug, percent, ranges, scheduled }) => ({
    slug,
    percent,
    ranges,
    reserved: scheduled.flatMap((share) => share.ranges),
  }));

/** What nobody holds or has reserved, in percent. */
export function freePercent(holders: readonly Holder[]): number {
  const taken = new Uint8Array(bucketCount);
  for (const { ranges, reserved } of holders) for (const [from, to] of [...ranges, ...reserved]) taken.fill(1, from, to);
  return taken.reduce((free, flag) => free - flag, bucketCount) / (bucketCount / 100);
}

/**
 * Which buckets a raise would take: by the service's own rule, over what stands and what is scheduled. None where it lowers,
 * since what was taken last is not told, nor where it does not fit.
 */
export function gainedBy(segments: readonly Segment[], slug: string, percent: number): Ranges {
  const own = segments.find((segment) => segment.slug === slug);
  const buckets = Math.round(percent * 100);
  if (!own || !(percent > own.percent) || buckets > bucketCount) return noBuckets;
  const plan = planShares(holdingsOf(own), segments.filter((segment) => segment !== own).map(holdingsOf), { at: 1, buckets });
  const after = 'holdings' in plan ? plan.holdings[0]?.ranges : undefined;
  return after ? without(after, own.ranges) : noBuckets;
}

/** What stands counts from 0 on, and the change is made at 1: the order of what is scheduled is all that matters. */
function holdingsOf({ ranges, scheduled }: Segment): Holding[] {
  const starts = [
    { startsAt: 0, ranges },
    ...scheduled.map((share) => ({ startsAt: Date.parse(share.effective_at), ranges: share.ranges })),
  ];
  return starts.map(({ startsAt, ranges: held }, i) => ({ startsAt, endsAt: starts[i + 1]?.startsAt ?? Infinity, ranges: held }));
}

function without(ranges: Ranges, taken: Ranges): Ranges {
  const flags = new Uint8Array(bucketCount);
  for (const [from, to] of ranges) flags.fill(1, from, to);
  for (const [from, to] of taken) flags.fill(0, from, to);
  const left: [number, number][] = [];
  for (let from = flags.indexOf(1); from !== -1;) {
    const end = flags.indexOf(0, from);
    const to = end === -1 ? bucketCount : end;
    left.push([from, to]);
    from = end === -1 ? -1 : flags.indexOf(1, end);
  }
  return left;
}
