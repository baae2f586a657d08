import type { DatabaseClient } from '../db/database.ts';
import { bucketCount } from '../rollout/bucket.ts';
import type { Moment } from '../timeline/facts.ts';
import { type Finding, shown } from './finding.ts';
import type { CheckedImport, CheckedKey, LogBreach, Marks } from './records.ts';

/** What is not about users: read in a snapshot (see `inSnapshot`), a moment for each small table. */
export async function readMarks(client: DatabaseClient): Promise<Marks> {
  // The mark first, then the clock: a sequence is not read as of the snapshot.
  const { rows } = await client.query<{ settled: number; kept_from: Moment; strays: number; now: number }>({
    text: `select s.last_value as settled, k.kept_from, d.strays, (extract(epoch from clock_timestamp()) * 1000000)::bigint as now
      from settled s, (select kept_from from history_kept) k,
        lateral (select count(*) as strays from past_memberships_default where ends_at >= k.kept_from) d`,
  });
  const { rows: partitions } = await client.query<{ name: string; bounds: string }>({
    text: `select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bounds from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'past_memberships'::regclass order by c.relname`,
  });
  const { settled, kept_from: keptFrom, strays, now } = rows[0]!;
  return { settled, keptFrom, strays, now, partitions };
}

export async function readKeys(client: DatabaseClient): Promise<CheckedKey[]> {
  const { rows } = await client.query<{ name: string; scope: string; created_at: Moment; revoked_at: Moment }>({
    text: `select name, scope, created_at, revoked_at from api_keys order by name`,
  });
  return rows.map(({ name, scope, created_at: createdAt, revoked_at: revokedAt }) => ({ name, scope, createdAt, revokedAt }));
}

const importsAtOnce = 100;

/**
 * The next imports behind an id, each with its rejected rows counted. Those that ended a month ago are left out: housekeeping
 * takes their rejected rows away piece by piece.
 */
export async function readImports(client: DatabaseClient, after: string | null): Promise<CheckedImport[]> {
  const { rows } = await client.query<CheckedImport>({
    name: 'checking.imports',
    text: importsText,
    values: [after, importsAtOnce],
  });
  return rows;
}

/** A table of rows is found by its name, in the catalogue as of the snapshot. */
const importsText = `select i.import_id::text as id, i.state, i.received, i.applied, i.unchanged, i.rejected, i.finished_at as "finishedAt",
    cardinality(i.pending_users) as pending,
    (select count(*) from import_rejects r where r.import_id = i.import_id) as rejects,
    exists (select from segments s where s.segment_id = i.segment_id) as "hasSegment",
    exists (select from pg_class c where c.relname = 'import_rows_' || replace(i.import_id::text, '-', '')
      and c.relnamespace = (select relnamespace from pg_class where oid = 'imports'::regclass)) as "hasRows"
  from imports i
  where i.import_id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')
    and (i.finished_at is null or i.finished_at > clock_timestamp() - interval '30 days')
  order by i.import_id limit $2`;

/** Tables of rows whose import is over or does not exist. */
export async function findRowsLeft(client: DatabaseClient): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>({
    text: `select c.relname as name from pg_class c
      where c.relkind = 'r' and c.relname ~ '^import_rows_[0-9a-f]{32}$' and c.relnamespace = (select relnamespace from pg_class where oid = 'imports'::regclass)
        and not exists (select from imports i where i.state in ('receiving', 'running')
          and c.relname = 'import_rows_' || replace(i.import_id::text, '-', ''))
      order by c.relname`,
  });
  return rows.map(({ name }) => name);
}

const changesAtOnce = 50;

/** Of the next rows of the log behind a transaction: those that name a user who is older than that, or unknown, or lie in the future. */
export async function readLog(client: DatabaseClient, after: string): Promise<{ breaches: LogBreach[]; last: string | null }> {
  const { rows: ends } = await client.query<{ last: string }>({
    name: 'checking.log_end',
    text: `select xid::text as last from (select xid from changes where xid > $1::xid8 order by xid limit $2) c order by xid desc limit 1`,
    values: [after, changesAtOnce],
  });
  const last = ends[0]?.last ?? null;
  if (last === null) return { breaches: [], last };
  const { rows: breaches } = await client.query<LogBreach>({ name: 'checking.log', text: logText, values: [after, last] });
  return { breaches, last };
}

/** By the primary key of `users`. A change without users is one of the definitions. */
const logText = `select c.xid::text as xid, c.at, null as "userId", d.revision, c.at > clock_timestamp() as "isAhead"
    from changes c cross join definitions d
   where c.xid > $1::xid8 and c.xid <= $2::xid8
     and (c.at > clock_timestamp() or (cardinality(c.user_ids) = 0 and c.at > moment_of(d.revision)))
  union all
  select c.xid::text, c.at, w.user_id, u.revision, false
    from changes c cross join lateral unnest(c.user_ids) w (user_id) left join users u on u.user_id = w.user_id
   where c.xid > $1::xid8 and c.xid <= $2::xid8 and (u.revision is null or c.at > moment_of(u.revision))`;

/** Rollouts with buckets below 0 or above 9999, which are read as none. */
export async function findRolloutsOutside(client: DatabaseClient): Promise<Finding[]> {
  const { rows } = await client.query<{ segment_id: number; from_at: Moment; ranges: string }>({
    text: `select segment_id, from_at, ranges from rollouts where not ranges <@ '{[0,${bucketCount})}'::int4multirange order by 1, 2`,
  });
  return rows.map(({ segment_id, from_at, ranges }) => {
    return { rule: 'rollout_outside_ring', rows: { segment_id, from_at: shown(from_at), ranges } };
  });
}
