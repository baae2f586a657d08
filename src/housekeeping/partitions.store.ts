import type { DatabaseClient } from '../db/database.ts';
import { momentText } from '../db/moments.ts';
import { inTransaction } from '../db/transaction.ts';
import type { Moment } from '../timeline/facts.ts';
import { type Month, monthName, parseMonth, startOf } from './months.ts';

/** Rows that are moved out of the default partition in one transaction at most: about half a second. */
const mostMoved = 50_000;

const rowsAtOnce = 1_000;

/** What locks a table against readers waits no longer than this: behind it everybody else waits. */
const lockTimeout = `set local lock_timeout = '100ms'`;

/** The months that have a partition. */
export async function findMonths(client: DatabaseClient): Promise<Month[]> {
  const { rows } = await client.query<{ name: string }>({
    name: 'housekeeping.months',
    text: `select replace(c.relname, 'past_memberships_', '') as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'past_memberships'::regclass`,
  });
  return rows.flatMap(({ name }) => parseMonth(name) ?? []).sort((a, b) => a - b);
}

/** The months of the rows that lie in no partition of their own and are kept. */
export async function findMonthsInDefault(client: DatabaseClient): Promise<Month[]> {
  const { rows } = await client.query<{ name: string }>({
    name: 'housekeeping.strays',
    text: `select distinct to_char(ends_at at time zone 'UTC', 'YYYY_MM') as name from past_memberships_default
      where ends_at >= (select kept_from from history_kept)`,
  });
  return rows.flatMap(({ name }) => parseMonth(name) ?? []);
}

/** Rows that lie in no partition of their own and are kept. */
export async function countStrays(client: DatabaseClient): Promise<number> {
  const { rows } = await client.query<{ rows: number }>({
    name: 'housekeeping.default',
    text: `select count(*) as rows from past_memberships_default where ends_at >= (select kept_from from history_kept)`,
  });
  return rows[0]!.rows;
}

/**
 * Makes the partition of a month, and takes into it what the default one has of that month; false, and nothing is made, where
 * that is more than can be moved without keeping others waiting.
 * Attached rather than made in place, which would lock the whole table. While rows are moved nobody writes to the default
 * partition (whose end lies in this very month waits); readers wait only while it is attached, some milliseconds. 55P03
 * where somebody else holds the table: later.
 */
export function makeMonth(client: DatabaseClient, month: Month): Promise<boolean> {
  const table = tableOf(month);
  const [from, to] = [month, month + 1].map((one) => `'${momentText(startOf(one))}'`);
  const inMonth = `ends_at >= ${from} and ends_at < ${to}`;
  return inTransaction(client, async () => {
    await client.query(lockTimeout);
    await client.query(`lock table past_memberships_default in share row exclusive mode`);
    const strays = `select from past_memberships_default where ${inMonth} limit ${mostMoved + 1}`;
    if ((await client.query(strays)).rowCount! > mostMoved) return false;
    // The check is what attaching would look for in every row, with readers locked out.
    await client.query(
      `create table ${table} (like past_memberships including constraints, constraint its_month check (${inMonth}))`,
    );
    await client.query(
      `with moved as (delete from past_memberships_default where ${inMonth} returning *) insert into ${table} select * from moved`,
    );
    await client.query(`alter table past_memberships attach partition ${table} for values from (${from}) to (${to})`);
    await client.query(`alter table ${table} drop constraint its_month`);
    return true;
  });
}

/** Raises the mark of what history is kept, or leaves it where it is further already; the mark in force. Committed on return. */
export async function raiseKeptFrom(client: DatabaseClient, keptFrom: Moment): Promise<Moment> {
  const { rows } = await client.query<{ kept_from: Moment }>({
    name: 'housekeeping.keep',
    text: `with raised as (update history_kept set kept_from = $1 where kept_from < $1 returning kept_from)
      select coalesce((select kept_from from raised), kept_from) as kept_from from history_kept`,
    values: [momentText(keptFrom)],
  });
  return rows[0]!.kept_from;
}

/**
 * Drops a month. The mark must be raised before. Whoever reads waits for it, or it for them, and takes the snapshot
 * afterwards, in which the mark is seen. 55P03 where somebody holds the table: later.
 */
export const dropMonth = (client: DatabaseClient, month: Month): Promise<void> =>
  inTransaction(client, async () => {
    await client.query(lockTimeout);
    await client.query(`drop table ${tableOf(month)}`);
  });

/** Some of what ended before the moment and lies in the default partition; whether there may be more. */
export async function dropFromDefault(client: DatabaseClient, before: Moment): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'housekeeping.drop',
    text: `delete from past_memberships_default
      where ctid = any (array (select ctid from past_memberships_default where ends_at < $1 limit ${rowsAtOnce}))`,
    values: [momentText(before)],
  });
  return rowCount === rowsAtOnce;
}

const tableOf = (month: Month) => `past_memberships_${monthName(month)}`;
