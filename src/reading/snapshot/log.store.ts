import { pipeline } from 'node:stream/promises';
import { to as copyTo } from 'pg-copy-streams';
import type { Database, DatabaseClient } from '../../db/database.ts';
import { failureOf } from '../../db/failures.ts';
import { momentText } from '../../db/moments.ts';
import type { Moment } from '../../timeline/facts.ts';
import { momentOf } from '../../timeline/revision.ts';
import type { PresentStay } from './words.ts';

/** Where a follower stands in the log: what one snapshot of the database held. */
export interface Position {
  /** `pg_current_snapshot()`. */
  readonly snapshot: string;
  /** Server, timeline and database: elsewhere the same transaction ids mean other transactions. */
  readonly identity: string;
  /** Of the definitions. */
  readonly version: number;
  /** Of the newest change of definitions; by then every earlier change of a user was committed. */
  readonly definitionsRevision: number;
  /** Every change up to this revision was committed before the snapshot. */
  readonly settled: number;
  /** A newest row of the log, if it has any: where it is missing, another history went on from some point before. */
  readonly newest: { readonly xid: string; readonly at: Moment } | null;
  /** The database's clock before the snapshot: every change acknowledged by then is in it. */
  readonly asOf: Moment;
}

/** What came since a position. `lost`: the log reaches no longer back to it. `other`: another database, or one that went back. */
export type News =
  | { readonly kind: 'lost' | 'other' }
  | { readonly kind: 'changes'; readonly changes: readonly { readonly at: Moment; readonly userIds: readonly string[] }[] };

export interface UserStays {
  readonly userId: string;
  /** Null for a user never written. */
  readonly revision: number | null;
  /** By segment, then by start. */
  readonly stays: readonly PresentStay[];
}

export type LogStore = ReturnType<typeof logStore>;

/** After a lost connection rows are taken again from this long before the last poll, should the clock have moved meanwhile. */
const overlapMs = 60_000;

/** How long a load may go without a byte before its connection is given up. */
const loadStallMs = 60_000;

/**
 * The log of changes, and the rows that it is about. New is what was not visible to the snapshot of the last poll, neither
 * more nor less: a horizon is held back by any idle transaction of the server, and a sequence overtakes transactions that
 * commit late (docs/decisions/0011-following-the-log.md).
 */
export function logStore(database: Database) {
  const { clock } = database;

  /** Begins a transaction with one snapshot, in which the news and the users' rows are then read. */
  const begin = async (client: DatabaseClient, isSettling: boolean): Promise<Position> => {
    // In a statement before, so that the snapshot holds all that is promised.
    const settled = await client.query<{ settled: number }>(
      isSettling
        ? { name: 'log.settle', text: `select settle() as settled` }
        : { name: 'log.settled', text: `select last_value as settled from settled` },
    );
    const sentAt = clock.mark();
    await client.query('begin isolation level repeatable read read only');
    const { rows } = await client.query<StateRow>({ name: 'log.state', text: stateText });
    const row = rows[0]!;
    clock.observe(row.clock_after, sentAt);
    return {
      snapshot: row.snapshot,
      identity: row.identity,
      version: row.version,
      definitionsRevision: row.revision,
      settled: settled.rows[0]!.settled,
      newest: row.newest_xid === null ? null : { xid: row.newest_xid, at: row.newest_at },
      asOf: momentOf(row.clock_before),
    };
  };

  return {
    begin,

    /**
     * What came after `previous` and up to `position`, in the transaction of `begin`. `isReconnected`: the server may have
     * crashed meanwhile and given transaction ids again that it had lost, so what is recent is taken by its moment too.
     */
    async news(client: DatabaseClient, previous: Position, position: Position, isReconnected: boolean): Promise<News> {
      if (previous.identity !== position.identity || previous.version > position.version) return { kind: 'other' };
      const { rows } = await client.query<{ is_lost: boolean; is_back: boolean; is_parted: boolean }>({
        name: 'log.reach',
        text: reachText,
        values: [previous.snapshot, position.snapshot, previous.newest?.xid, previous.newest && momentText(previous.newest.at)],
      });
      // The settled moment never goes back in one history, and a restored one ends before it, unless it has gone on since.
      if (rows[0]!.is_back || rows[0]!.is_parted || previous.settled > position.settled) return { kind: 'other' };
      if (rows[0]!.is_lost) return { kind: 'lost' };
      const asked = {
        name: 'log.changes',
        text: changesText,
        values: [previous.snapshot, isReconnected ? momentText(previous.asOf - overlapMs) : 'infinity'],
      };
      const changes = await client.query<{ at: Moment; user_ids: string[] }>(asked).catch((error: unknown) => {
        if (failureOf(error) === 'overloaded') return null;
        throw error;
      });
      if (!changes) return { kind: 'lost' }; // more than can be read in time: loading all is quicker, and it ends
      return { kind: 'changes', changes: changes.rows.map((row) => ({ at: row.at, userIds: row.user_ids })) };
    },

    /** The current and planned stays of users, in the transaction of `begin`; each user once, in the order asked. */
    async users(client: DatabaseClient, userIds: readonly string[]): Promise<UserStays[]> {
      const asked = { name: 'log.users', text: usersText, values: [userIds], rowMode: 'array' } as const;
      const { rows } = await client.query<UserRow>(asked);
      const users: (UserStays & { stays: PresentStay[] })[] = [];
      for (const [n, revision, segmentId, startsAt, endsAt, excluded] of rows) {
        if (n > users.length) users.push({ userId: userIds[n - 1]!, revision, stays: [] });
        if (segmentId !== null) users.at(-1)!.stays.push({ segmentId, startsAt, endsAt, excluded });
      }
      return users;
    },

    end: async (client: DatabaseClient): Promise<void> => void (await client.query('commit')),

    /**
     * Streams all stays, sorted by user, segment and start, over a connection of its own; answers where that stands.
     * `open` is told the position before the first byte. The snapshot is held for as long as it takes.
     */
    async load(
      open: (position: Position) => { push: (piece: Buffer) => void; end: () => void },
      signal: AbortSignal,
    ): Promise<Position> {
      const client = await database.connect({ queryTimeoutMs: 0 });
      const watch = new AbortController();
      const isOver = AbortSignal.any([signal, watch.signal]);
      isOver.addEventListener('abort', () => void client.end().catch(() => {})); // cuts what is under way
      let watchdog: NodeJS.Timeout | undefined;
      const isAlive = () => {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => watch.abort(new Error(`no byte of the snapshot came for ${loadStallMs} ms`)), loadStallMs);
      };
      try {
        isAlive();
        const position = await begin(client, true);
        // One sorted read of everything: the plan is the planner's to choose, and no limit for a short statement holds.
        await client.query(`set local statement_timeout = 0; set local enable_seqscan = on; set local work_mem = '64MB'`);
        const rows = open(position);
        await pipeline(
          client.query(copyTo(loadText)),
          async (pieces: AsyncIterable<Buffer>) => {
            for await (const piece of pieces) {
              isAlive();
              rows.push(piece);
            }
            rows.end();
          },
          { signal: isOver },
        );
        await client.query('commit');
        return position;
      } finally {
        clearTimeout(watchdog);
        await client.end().catch(() => {});
      }
    },
  };
}

/** The timeline in which the server writes now: that of its last checkpoint is older for some minutes after a promotion. */
const stateText = `select pg_current_snapshot()::text as snapshot,
    concat_ws('/', (select system_identifier from pg_control_system()), left(pg_walfile_name(pg_current_wal_lsn()), 8),
      (select oid from pg_database where datname = current_database())) as identity,
    d.version, d.revision, n.xid::text as newest_xid, n.at as newest_at,
    (extract(epoch from transaction_timestamp()) * 1000000)::bigint as clock_before,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_after
  from definitions d left join (select xid, at from changes order by at desc limit 1) n on true`;

/** What memory has seen of the log was on disk, so it is there until it is pruned. */
const reachText = `select pg_snapshot_xmin($1::pg_snapshot) < p.below as is_lost,
    pg_snapshot_xmax($2::pg_snapshot) < pg_snapshot_xmax($1::pg_snapshot) as is_back,
    coalesce($3::xid8 >= p.below, false) and not exists (select from changes where xid = $3::xid8 and at = $4) as is_parted
  from changes_pruned p`;

/** By the primary key, twice, and by the index on the moment. */
const changesText = `select at, user_ids from changes
  where xid >= pg_snapshot_xmax($1::pg_snapshot) or xid = any(array(select pg_snapshot_xip($1::pg_snapshot))) or at >= $2`;

const usersText = `select w.n::integer as n, u.revision, m.segment_id, m.starts_at, m.ends_at, m.excluded
  from unnest($1::text[]) with ordinality w (user_id, n)
  left join users u on u.user_id = w.user_id
  left join memberships m on m.user_id = w.user_id
  order by w.n, m.segment_id, m.starts_at`;

const loadText = `copy (select user_id, segment_id, excluded, starts_at, ends_at from memberships
  order by user_id, segment_id, starts_at) to stdout (format binary)`;

interface StateRow {
  snapshot: string;
  identity: string;
  version: number;
  revision: number;
  newest_xid: string | null;
  newest_at: Moment;
  clock_before: number;
  clock_after: number;
}

type UserRow = [
  n: number,
  revision: number | null,
  segmentId: number | null,
  startsAt: Moment,
  endsAt: Moment,
  excluded: boolean,
];
