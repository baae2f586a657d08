import assert from 'node:assert/strict';
import type pg from 'pg';

/** The clock of the database, in microseconds. */
export const clockOf = async (pool: pg.Pool): Promise<number> =>
  (await pool.query<{ us: number }>('select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us')).rows[0]!.us;

/** Creates a segment without a percentage. */
export async function createSegment(pool: pg.Pool, slug: string, group: string | null = null): Promise<void> {
  const { rows } = await pool.query<{ revision: number | null }>(
    `select create_segment(version, 0, 'infinity', $1, '', coalesce($2, $1), $2, '{}', 'ann') as revision from definitions`,
    [slug, group],
  );
  assert.notEqual(rows[0]!.revision, null);
}
