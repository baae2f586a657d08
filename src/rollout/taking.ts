import { bucketCount } from './bucket.ts';
import { noBuckets, type Ranges, sizeOf } from './ranges.ts';

/** Buckets that are taken from `startsAt` until `endsAt`. Of one segment these follow each other without a gap. */
export interface Holding {
  readonly startsAt: number;
  readonly endsAt: number;
  readonly ranges: Ranges;
}

/** From a moment on as many buckets; null: what was planned for exactly that moment is taken back. */
export interface Share {
  readonly at: number;
  readonly buckets: number | null;
}

/** What is planned from the moment of the change on, by its start, the change itself first where it is one. */
export interface Plan {
  readonly holdings: readonly { readonly startsAt: number; readonly ranges: Ranges }[];
}

/** There is no room: how many buckets nobody holds or has reserved from that moment on, the segment itself included. */
export interface Full {
  readonly at: number;
  readonly free: number;
}

/**
 * Which buckets a segment takes when its share changes, on a ring that it shares with `others` (none: a ring of its own).
 *
 * - Raising keeps what there is and takes first what the segment has reserved for later, the next first, then the lowest
 *   free ones. Free is what nobody else holds or has reserved from then on, for ever.
 * - Lowering gives back what was taken last; within one raise the highest bucket counts as last. What the next planned
 *   share has stays, so that a raise to come takes nobody out.
 * - Later shares keep their size, and their buckets where they can: each lies in the one before or holds it.
 */
export function planShares(
  own: readonly Holding[],
  others: readonly (readonly Holding[])[],
  { at, buckets }: Share,
): Plan | Full {
  const before = own.filter(({ startsAt }) => startsAt < at);
  const later = own.filter(({ startsAt }) => startsAt > at);
  const takenAt = takenSince(before);
  let held: Ranges = before.at(-1)?.ranges ?? noBuckets;

  const steps = [
    { at, count: buckets ?? sizeOf(held), planned: noBuckets },
    ...later.map(({ startsAt, ranges }) => ({ at: startsAt, count: sizeOf(ranges), planned: ranges })),
  ];
  const holdings: { startsAt: number; ranges: Ranges }[] = [];
  for (const [i, step] of steps.entries()) {
    const claimed = claimedFrom(others, step.at);
    const plans = steps.slice(Math.max(i, 1)).map(({ planned }) => planned);
    const isHeld = flagged(held);
    const has = sizeOf(held);
    const chosen =
      step.count < has ? keep(isHeld, plans[0], claimed, takenAt, step.count) : take(isHeld, plans, claimed, step.count - has);
    const until = steps[i + 1]?.at ?? Infinity;
    const taken = flagged(others.flatMap((holding) => holding.filter(overlaps(step.at, until)).flatMap(({ ranges }) => ranges)));
    if (!chosen || chosen.some((isIn, bucket) => isIn && taken[bucket])) {
      return { at: step.at, free: bucketCount - countOf(claimedFrom([own, ...others], step.at)) };
    }
    for (let bucket = 0; bucket < bucketCount; bucket++) if (chosen[bucket] && !isHeld[bucket]) takenAt[bucket] = step.at;
    held = rangesOf(chosen);
    holdings.push({ startsAt: step.at, ranges: held });
  }
  return { holdings: buckets === null ? holdings.slice(1) : holdings };
}

/** Buckets that a segment holds at the moment or later. */
export const heldFrom = (holdings: readonly Holding[], at: number): number => countOf(claimedFrom([holdings], at));

const countOf = (flags: Flags): number => flags.reduce((sum, flag) => sum + flag, 0);

/** One flag a bucket. */
type Flags = Uint8Array;

const overlaps =
  (from: number, until: number) =>
  ({ startsAt, endsAt }: Holding): boolean =>
    startsAt < until && endsAt > from;

const claimedFrom = (others: readonly (readonly Holding[])[], at: number): Flags =>
  flagged(others.flatMap((holdings) => holdings.filter(overlaps(at, Infinity)).flatMap(({ ranges }) => ranges)));

/** With so many more, or `undefined` where there are not enough. */
function take(held: Flags, plans: readonly Ranges[], claimed: Flags, count: number): Flags | undefined {
  const chosen = held.slice();
  let left = count;
  for (const preferred of [...plans.map(flagged), undefined]) {
    for (let bucket = 0; bucket < bucketCount && left > 0; bucket++) {
      if (chosen[bucket] || claimed[bucket] || (preferred && !preferred[bucket])) continue;
      chosen[bucket] = 1;
      left--;
    }
  }
  return left === 0 ? chosen : undefined;
}

/** So many of them. */
function keep(held: Flags, next: Ranges | undefined, claimed: Flags, takenAt: Float64Array, count: number): Flags {
  const isNext = flagged(next ?? noBuckets);
  const all = Array.from(held.keys()).filter((bucket) => held[bucket]);
  all.sort((a, b) => isNext[b]! - isNext[a]! || claimed[a]! - claimed[b]! || takenAt[a]! - takenAt[b]!); // else by bucket
  const chosen = new Uint8Array(bucketCount);
  for (const bucket of all.slice(0, count)) chosen[bucket] = 1;
  return chosen;
}

/** Since when each bucket is taken without a break; read from the holdings by their start. */
function takenSince(holdings: readonly Holding[]): Float64Array {
  const since = new Float64Array(bucketCount);
  let held: Flags = new Uint8Array(bucketCount);
  for (const { startsAt, ranges } of holdings) {
    const now = flagged(ranges);
    for (let bucket = 0; bucket < bucketCount; bucket++) if (now[bucket] && !held[bucket]) since[bucket] = startsAt;
    held = now;
  }
  return since;
}

function flagged(ranges: Ranges): Flags {
  const flags = new Uint8Array(bucketCount);
  for (const [from, to] of ranges) flags.fill(1, from, to);
  return flags;
}

function rangesOf(flags: Flags): Ranges {
  const ranges: [number, number][] = [];
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    if (!flags[bucket]) continue;
    const last = ranges.at(-1);
    if (last?.[1] === bucket) last[1]++;
    else ranges.push([bucket, bucket + 1]);
  }
  return ranges;
}
