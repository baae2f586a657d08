import type { Database, DatabaseClient } from '../db/database.ts';
import { parseAnyMomentText } from '../db/moments.ts';
import { pastStayColumns, stayColumns, type StayRow, toStay } from '../reading/facts.store.ts';
import { readDefinitions, type SegmentDefinitions } from '../segments/definitions.store.ts';
import type { Moment, Stay } from '../timeline/facts.ts';
import type { CheckedUser } from './user.ts';

/** The next users in byte order, all from one snapshot of the database, definitions included. */
export interface UsersPage {
  readonly users: readonly CheckedUser[];
  readonly definitions: SegmentDefinitions;
  /** The database's clock after the snapshot, in microseconds. */
  readonly now: number;
  /** Where the next page begins; null: nobody is left. */
  readonly next: string | null;
}

/** The type of moments, by its number in PostgreSQL's `pg_type.dat`. */
const timestamptz = 1184;

/** A connection of its own, on which moments come as they are, also those that are none of ours. Whoever asked for it ends it. */
export async function openChecking({ connect }: Database): Promise<DatabaseClient> {
  const client = await connect();
  client.setTypeParser(timestamptz, parseAnyMomentText);
  await client.query('set enable_sort = off'); // else all that is left is sorted for a page of it
  return client;
}

/**
 * One snapshot for what `read` asks. The months are locked before it is taken, or one that is dropped meanwhile would look
 * like lost rows; it lasts for one page, so neither vacuum nor housekeeping waits for longer.
 */
export async function inSnapshot<T>(client: DatabaseClient, read: () => Promise<T>): Promise<T> {
  await client.query('begin isolation level repeatable read read only; lock table past_memberships in access share mode');
  try {
    return await read();
  } finally {
    await client.query('rollback').catch(() => {}); // a lost connection has done so
  }
}

/**
 * `from`: where the page begins, `''` for the first. `known`: definitions read before, used where they are still those.
 * `rowsAtOnce`: as many rows, and the rest of their last user's.
 */
export const readUsers = (
  client: DatabaseClient,
  from: string,
  known: SegmentDefinitions | undefined,
  rowsAtOnce: number,
): Promise<UsersPage> =>
  inSnapshot(client, async () => {
    const { rows: stamps } = await client.query<StampRow>({ name: 'checking.stamp', text: stampText });
    const { version, revision, now } = stamps[0]!;
    const isKnown = known?.version === version && known.revision === revision;
    const definitions = isKnown ? known : await readDefinitions(client);

    const bounds = await client.query<BoundRow>({ name: 'checking.bound', text: boundText, values: [from, rowsAtOnce] });
    const { up_to: upTo, rows } = bounds.rows[0]!;
    if (upTo === null) return { users: [], definitions, now, next: null };
    const values = [from, upTo];
    const ownRows = await client.query<UserRow>({ name: 'checking.users', text: usersText, values });
    const current = await client.query<OwnedRow>({ name: 'checking.current', text: currentText, values });
    const past = await client.query<OwnedRow>({ name: 'checking.past', text: pastText, values });
    const users = usersOf(ownRows.rows, [...current.rows, ...past.rows], definitions);
    return { users, definitions, now, next: rows < rowsAtOnce ? null : `${upTo}\u0001` };
  });

function usersOf(rows: readonly UserRow[], stayRows: readonly OwnedRow[], definitions: SegmentDefinitions): CheckedUser[] {
  const stays = new Map<string, Stay[]>();
  for (const row of stayRows) {
    const own = stays.get(row.user_id);
    if (own) own.push(toStay(row));
    else stays.set(row.user_id, [toStay(row)]);
  }
  const byId = new Map(rows.map((row) => [row.user_id, row]));
  const ids = [...byId.keys(), ...[...stays.keys()].filter((userId) => !byId.has(userId))];
  return ids.map((userId) => {
    const row = byId.get(userId);
    return {
      row: row ? { knownSince: row.known_since, revision: row.revision } : null,
      facts: { userId, revision: row?.revision ?? null, definitions, stays: stays.get(userId) ?? [] },
    };
  });
}

const stampText = `select version, revision, (extract(epoch from clock_timestamp()) * 1000000)::bigint as now from definitions`;

interface StampRow {
  version: number;
  revision: number;
  now: number;
}

/** By the primary keys, merged: the last user of so many rows of the three tables. */
const boundText = `select max(user_id) as up_to, count(*) as rows from (
    select user_id from (
      (select user_id from users where user_id >= $1 order by user_id limit $2) union all
      (select user_id from memberships where user_id >= $1 order by user_id limit $2) union all
      (select user_id from past_memberships where user_id >= $1 order by user_id limit $2)) m
    order by user_id limit $2) page`;

interface BoundRow {
  up_to: string | null;
  rows: number;
}

const usersText = `select user_id, known_since, revision from users where user_id >= $1 and user_id <= $2`;
const currentText = `select m.user_id, ${stayColumns} from memberships m where m.user_id >= $1 and m.user_id <= $2`;
const pastText = `select m.user_id, ${pastStayColumns} from past_memberships m where m.user_id >= $1 and m.user_id <= $2`;

interface UserRow {
  user_id: string;
  known_since: Moment;
  revision: number;
}

interface OwnedRow extends StayRow {
  user_id: string;
}
