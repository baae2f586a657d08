import { bucketCount } from './bucket.ts';

/** Buckets that a segment takes: half-open `[from, to)` pairs, ascending, apart from each other. */
export type Ranges = readonly (readonly [from: number, to: number])[];

export const noBuckets: Ranges = [];

/** Whether a bucket lies in one of the ranges. */
export function covers(ranges: Ranges, bucket: number): boolean {
  for (const [from, to] of ranges) if (bucket >= from && bucket < to) return true;
  return false;
}

/** What a percentage takes outside an exclusive group: the first of the 10,000 buckets. */
export const firstBuckets = (count: number): Ranges => (count === 0 ? noBuckets : [[0, count]]);

/** How many buckets the ranges hold. */
export const sizeOf = (ranges: Ranges): number => ranges.reduce((sum, [from, to]) => sum + to - from, 0);

/** The percentage that the ranges amount to, in steps of 0.01. */
export const percentOf = (ranges: Ranges): number => sizeOf(ranges) / (bucketCount / 100);

/**
 * How many of the 10,000 buckets a percentage covers; `undefined` when it is not a whole number of them from 0 to 100 %.
 * Binary fractions make 0.07 × 100 come out as 7.000000000000001; dividing the nearest whole back gives the very number
 * that the text 0.07 stands for, and no other.
 */
export function bucketsCovered(percent: number): number | undefined {
  const nearest = Math.round(percent * (bucketCount / 100));
  const isWhole = nearest / (bucketCount / 100) === percent;
  return isWhole && nearest >= 0 && nearest <= bucketCount ? nearest : undefined;
}
