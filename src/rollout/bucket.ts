import { murmur3 } from './murmur3.ts';

/** Buckets that a user can fall in, so the finest step of a percentage is 100 / 10,000 = 0.01. */
export const bucketCount = 10_000;

/**
 * The bucket, 0 to 9999, of a user under a salt.
 *
 * With h the MurmurHash3 of `salt:userId`, it is (h mod 100) × 100 + floor(h / 100) mod 100. The hundreds are then the
 * value that Unleash's flexible rollout compares with a whole percentage (its normalized value less one), so a service
 * that moves here keeps its users; the rest splits each percent into hundredths. See docs/decisions/0003-the-bucket.md.
 */
export function bucketOf(salt: string, userId: string): number {
  const hash = murmur3(`${salt}:${userId}`);
  return (hash % 100) * 100 + (Math.floor(hash / 100) % 100);
}
