import type { Database } from '../../src/db/database.ts';

/**
 * Moves all that is recorded into the past, as if so much time had gone by since: ends come without waiting for them.
 * Between requests only. Links and keys keep their times.
 */
export async function age({ pool }: Database, seconds: number) {
  await pool.query(
    `with s as (update segments set created_at = created_at - $1, updated_at = updated_at - $1, deleted_at = deleted_at - $1),
       r as (update rollouts set from_at = from_at - $1, to_at = to_at - $1),
       m as (update memberships set starts_at = starts_at - $1, ends_at = ends_at - $1, since = since - $1),
       p as (update past_memberships set starts_at = starts_at - $1, ends_at = ends_at - $1, since = since - $1),
       c as (update changes set at = at - $1),
       q as (update planned_starts set starts_at = starts_at - $1),
       u as (update users set known_since = known_since - $1, revision = revision - $2)
     update definitions set version = version + 1, revision = revision - $2`.replaceAll('$1', '$1::interval'),
    [`${seconds} seconds`, seconds * 1_000_000],
  );
}

/** A moment of an answer as it is after that. */
export const earlier = (moment: string, seconds: number): string => new Date(Date.parse(moment) - seconds * 1000).toISOString();
