import { findMigrations } from '../../src/db/migrate.ts';
import type { Database } from '../../src/db/database.ts';

/** A schema of an earlier release, recorded as that one did: without checksums. */
export async function makeSchema({ pool }: Database, version: number): Promise<void> {
  await pool.query(`create table schema_migrations (version integer primary key, name text not null,
    applied_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()))`);
  for (const { version: one, name, sql } of (await findMigrations()).slice(0, version)) {
    await pool.query(sql);
    await pool.query(`insert into schema_migrations (version, name) values ($1, $2)`, [one, name]);
  }
}

/** The write functions as a process of that time called them. */
export function writerOf({ pool }: Database, version: number) {
  const current = `(select version from definitions)`;
  const decided = version < 3 ? '' : `, 0, 'infinity'`;
  return {
    createSegment: (slug: string, ranges: string, group: string | null = null) =>
      pool.query(`select create_segment(${current}${decided}, $1, '', coalesce($3, $1), $3, $2, 'old')`, [slug, ranges, group]),

    deleteSegment: (slug: string) =>
      pool.query(`select delete_segment(${current}, (select segment_id from segments where slug = $1), 'old')`, [slug]),

    /** Puts a user in the segment, until a moment, or takes one out; the moment of the change. */
    async toggle(userId: string, slug: string, endsAt: string | null = null): Promise<number> {
      const { rows } = await pool.query<{ outcome: string; moment: number; stale: string[] }>(toggleText, [userId, slug, endsAt]);
      const { outcome, moment, stale } = rows[0]!;
      if (outcome !== 'applied' || stale.length > 0) throw new Error(`not applied: ${outcome}`);
      return moment;
    },
  };
}

/** The facts and the call in one statement: nobody else writes this user, and what is stale is refused. */
const toggleText = `with f as (
    select d.version, s.segment_id, u.revision, m.starts_at
      from definitions d join segments s on s.slug = $2 and s.deleted_at = 'infinity'
      left join users u on u.user_id = $1
      left join memberships m on m.user_id = $1 and m.segment_id = s.segment_id)
  select a.outcome, moment_of(a.revision) as moment, a.stale
    from f cross join lateral apply_changes(f.version, 0, array[$1], array[f.revision], array['infinity'::timestamptz],
      case when f.starts_at is null then '{}' else array[$1] end, case when f.starts_at is null then '{}' else array[f.segment_id] end,
      case when f.starts_at is null then '{}' else array[f.starts_at] end, case when f.starts_at is null then '{}' else array[null::timestamptz] end,
      case when f.starts_at is null then '{}' else array['request'] end, case when f.starts_at is null then '{}' else array['old'] end,
      case when f.starts_at is null then array[$1] else '{}' end, case when f.starts_at is null then array[f.segment_id] else '{}' end,
      case when f.starts_at is null then array[false] else '{}' end, case when f.starts_at is null then array[null::timestamptz] else '{}' end,
      case when f.starts_at is null then array[$3::timestamptz] else '{}' end, case when f.starts_at is null then array[null::interval] else '{}' end,
      case when f.starts_at is null then array[null::timestamptz] else '{}' end, case when f.starts_at is null then array['request'] else '{}' end,
      case when f.starts_at is null then array['old'] else '{}' end) a`;
