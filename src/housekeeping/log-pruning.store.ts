import type { DatabaseClient } from '../db/database.ts';

const rowsAtOnce = 1_000;

/**
 * Drops some of the oldest rows of `changes`, from the left, that are older than so many hours; whether there may be more.
 * The mark `changes_pruned` is raised in the same statement, so whoever misses a row sees the mark too: memory is loaded anew,
 * and streams from before are refused.
 *
 * Only rows of transactions that every snapshot from now on has seen end: a follower that polls is then never behind the
 * mark, even where some transaction, perhaps in another database of the server, has been open for days.
 */
export async function pruneChanges(client: DatabaseClient, hours: number): Promise<boolean> {
  const { rows } = await client.query<{ xid: string; is_old: boolean }>({
    name: 'housekeeping.changes',
    text: `select c.xid::text as xid, c.at < clock_timestamp() - $1 * interval '1 hour' and c.xid < pg_snapshot_xmin(pg_current_snapshot()) as is_old
      from changes c where c.xid >= (select below from changes_pruned) order by c.xid limit ${rowsAtOnce}`,
    values: [hours],
  });
  const firstKept = rows.findIndex((row) => !row.is_old);
  const last = (firstKept === -1 ? rows : rows.slice(0, firstKept)).at(-1);
  if (!last) return false;
  await client.query({
    name: 'housekeeping.prune',
    text: `with gone as (delete from changes where xid <= $1::text::xid8 returning at)
      update changes_pruned set below = ($1::bigint + 1)::text::xid8, up_to = greatest(up_to, (select max(at) from gone))
       where below <= $1::text::xid8`,
    values: [last.xid],
  });
  return firstKept === -1 && rows.length === rowsAtOnce;
}

/**
 * Of a database that was restored from a dump into another server the log tells of transactions that have not come there
 * yet: they would be news at each poll and stand in the way of those that will have their ids, and the mark would be one that
 * no follower reaches. Whether there may be more of them.
 */
export async function forgetForeignChanges(client: DatabaseClient): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'housekeeping.foreign',
    text: `with gone as (
        delete from changes where xid = any (array (
          select xid from changes where xid >= pg_snapshot_xmax(pg_current_snapshot()) order by xid limit ${rowsAtOnce}))
        returning at),
      marked as (
        update changes_pruned set up_to = greatest(up_to, (select max(at) from gone)),
          below = case when below > pg_snapshot_xmax(pg_current_snapshot()) then '0' else below end
         where below > pg_snapshot_xmax(pg_current_snapshot()) or exists (select from gone))
      select from gone`,
  });
  return rowCount === rowsAtOnce;
}

/** Drops some of the planned starts that lie before what the log reaches back to; whether there may be more. */
export async function prunePlannedStarts(client: DatabaseClient): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'housekeeping.planned',
    text: `delete from planned_starts where ctid = any (array (
      select ctid from planned_starts where starts_at <= (select up_to from changes_pruned) order by starts_at limit ${rowsAtOnce}))`,
  });
  return rowCount === rowsAtOnce;
}
