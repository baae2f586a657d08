import type { Database, DatabaseClient } from '../db/database.ts';
import { stayColumns, type StayRow, toStay } from '../reading/facts.store.ts';
import type { Moment, Stay } from '../timeline/facts.ts';

/** All known users and their stays as one snapshot of the database has them. */
export interface KnownUsers {
  /** Of the definitions. */
  readonly version: number;
  readonly definitionsRevision: number;
  /** The database's clock before the snapshot: every change acknowledged before that moment is in it. */
  readonly asOf: Moment;
  /** The clock after it: nothing in it began later, but for what is planned. */
  readonly now: Moment;
  /** The ids in byte order, so many at a time. */
  ids(batch: number): AsyncGenerator<readonly string[]>;
  /** Current and planned stays in these segments, by user. */
  stays(userIds: readonly string[], segmentIds: readonly number[]): Promise<Map<string, Stay[]>>;
}

export type KnownUsersStore = ReturnType<typeof knownUsersStore>;

/** Whoever something was recorded of. Takes no locks; memory does not grow with their number. */
export function knownUsersStore({ connect, pool, clock }: Database) {
  let counted = { users: 0, until: -Infinity };
  let counting: Promise<number> | undefined;

  const count = async (): Promise<number> => {
    const startedAt = performance.now();
    const guess = await pool.query<{ users: number }>({ name: 'known.guess', text: guessText });
    let users = Math.round(guess.rows[0]!.users);
    if (users < manyUsers) users = (await pool.query<{ users: number }>({ name: 'known.count', text: countText })).rows[0]!.users;
    const now = performance.now();
    counted = { users, until: now + (now - startedAt) * restFactor };
    return users;
  };

  return {
    /** How many there are: exact, and a moment old, up to two million; beyond, as the database's statistics have it. */
    count: async (): Promise<number> => {
      if (performance.now() < counted.until) return counted.users;
      return (counting ??= count().finally(() => (counting = undefined)));
    },

    /** On a connection of its own, in one transaction that ends with `use`. */
    async read<T>(use: (users: KnownUsers) => Promise<T>): Promise<T> {
      const client = await connect();
      try {
        const sentAt = clock.mark();
        await client.query('begin isolation level repeatable read read only');
        const { rows } = await client.query<StampRow>({ name: 'known.begin', text: beginText });
        const { version, revision, clock_before, clock_after } = rows[0]!;
        clock.observe(clock_after, sentAt);
        return await use({
          version,
          definitionsRevision: revision,
          asOf: Math.floor(clock_before / 1000),
          now: Math.floor(clock_after / 1000),
          ids: (batch) => idsOf(client, batch),
          stays: (userIds, segmentIds) => staysOf(client, userIds, segmentIds),
        });
      } finally {
        await client.end().catch(() => {}); // what went wrong is known already; the transaction ends with it
      }
    },
  };
}

/** Counting takes a tenth of a second for as many. */
const manyUsers = 2_000_000;
/** So many times as long as counting took it is not done again: so it takes a twentieth of a connection at most. */
const restFactor = 20;

/** -1 where nobody has looked yet. */
const guessText = `select reltuples::float8 as users from pg_class where oid = 'users'::regclass`;
const countText = `select count(*) as users from users`;

/** By the primary key of `users`, each batch from where the last one ended. */
async function* idsOf(client: DatabaseClient, batch: number): AsyncGenerator<readonly string[]> {
  for (let after = ''; ;) {
    const { rows } = await client.query<{ user_id: string }>({ name: 'known.ids', text: idsText, values: [after, batch] });
    if (rows.length > 0) yield rows.map(({ user_id }) => user_id);
    if (rows.length < batch) return;
    after = rows.at(-1)!.user_id;
  }
}

/** By the primary key of `memberships`. */
async function staysOf(client: DatabaseClient, userIds: readonly string[], segmentIds: readonly number[]) {
  const { rows } = await client.query<StayRow & { user_id: string }>({
    name: 'known.stays',
    text: staysText,
    values: [userIds, segmentIds],
  });
  const byUser = Map.groupBy(rows, ({ user_id }) => user_id);
  return new Map([...byUser].map(([userId, own]) => [userId, own.map(toStay)]));
}

interface StampRow {
  version: number;
  revision: number;
  clock_before: number;
  clock_after: number;
}

/** The start of the transaction comes before its snapshot, which this statement takes. */
const beginText = `select version, revision, (extract(epoch from transaction_timestamp()) * 1000000)::bigint as clock_before,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_after
  from definitions`;

const idsText = `select user_id from users where user_id > $1 order by user_id limit $2`;

const staysText = `select m.user_id, ${stayColumns} from memberships m
  where m.user_id = any($1::text[]) and m.segment_id = any($2::integer[])`;
