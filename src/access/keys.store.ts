import type { Database, DatabaseClient } from '../db/database.ts';
import { brokenConstraint } from '../db/failures.ts';
import { gather } from '../db/gather.ts';
import { channel } from '../reading/wakes.store.ts';
import type { Moment } from '../timeline/facts.ts';
import { momentOf } from '../timeline/revision.ts';
import type { Key, Scope } from './key.ts';

export interface ListedKey extends Key {
  readonly createdAt: Moment;
  readonly revokedAt: Moment;
}

/** How often the keys were changed, as of a moment: every change that was acknowledged before it is counted. */
export interface KeyChanges {
  readonly changes: number;
  readonly asOf: Moment;
}

export interface LivingKeys extends KeyChanges {
  readonly living: ReadonlyMap<string, Key>;
}

export type KeysStore = ReturnType<typeof keysStore>;

/** Keys are stored only as the SHA-256 of their text, which is in hexadecimal here. */
export function keysStore({ pool, clock }: Database) {
  const find = gather<string, Key | null>({
    lanes: 2,
    maxItems: 500,
    maxWaiting: 10_000,
    run: async (hashes) => {
      const { rows } = await pool.query<KeyRow>({
        name: 'keys.find',
        text: `select name, scope, encode(sha256, 'hex') as sha256 from api_keys
          where sha256 = any($1::bytea[]) and revoked_at = 'infinity'`,
        values: [hashes.map(bytes)],
      });
      const found = byHash(rows);
      return hashes.map((hash) => found.get(hash) ?? null);
    },
  });

  return {
    /** The key of that hash, or null where there is none or it was revoked. */
    find,

    /** Whether a living key bears the name. */
    async lives(name: string): Promise<boolean> {
      const { rowCount } = await pool.query({
        name: 'keys.lives',
        text: `select from api_keys where name = $1 and revoked_at = 'infinity'`,
        values: [name],
      });
      return rowCount === 1;
    },

    /** A row is only ever inserted, and revoked once, so that two counts tell of every change. */
    async countChanges(client: DatabaseClient): Promise<KeyChanges> {
      const sentAt = clock.mark();
      const { rows } = await client.query<Stamp>({ name: 'keys.changes', text: changesText });
      const { changes, clock_before, clock_after } = rows[0]!;
      clock.observe(clock_after, sentAt);
      return { changes, asOf: momentOf(clock_before) };
    },

    /** All living keys, and the count of the same snapshot. */
    async listLiving(client: DatabaseClient): Promise<LivingKeys> {
      const sentAt = clock.mark();
      const { rows } = await client.query<KeyRow & Stamp & { is_living: boolean }>({ name: 'keys.living', text: livingText });
      const { changes, clock_before, clock_after } = rows[0]!;
      clock.observe(clock_after, sentAt);
      return { living: byHash(rows.filter((row) => row.is_living)), changes, asOf: momentOf(clock_before) };
    },

    /** By name in byte order, those that were revoked too: the first `limit` behind `after`. Default: all. */
    async list({ after = '', limit = null }: { after?: string; limit?: number | null } = {}): Promise<ListedKey[]> {
      const { rows } = await pool.query<{ name: string; scope: Scope; created_at: Moment; revoked_at: Moment }>(
        `select name, scope, created_at, revoked_at from api_keys where name > $1 order by name limit $2`,
        [after, limit],
      );
      return rows.map((row) => ({ name: row.name, scope: row.scope, createdAt: row.created_at, revokedAt: row.revoked_at }));
    },

    /** False when the name was given before, to a key revoked since or not: the primary key decides. */
    async insert({ name, scope }: Key, sha256: string): Promise<boolean> {
      try {
        await pool.query(`insert into api_keys (name, sha256, scope) values ($1, $2, $3)`, [name, bytes(sha256), scope]);
        return true;
      } catch (error) {
        if (brokenConstraint(error) === 'api_keys_pkey') return false;
        throw error;
      }
    },

    /**
     * Only into an empty table. Of several processes that try at once with one name the primary key lets one succeed. True
     * too where this very key is there already, as after a try whose answer was lost.
     */
    async insertFirst({ name, scope }: Key, sha256: string): Promise<boolean> {
      await pool.query(
        `insert into api_keys (name, sha256, scope) select $1, $2, $3 where not exists (select from api_keys) on conflict do nothing`,
        [name, bytes(sha256), scope],
      );
      const { rowCount } = await pool.query(`select from api_keys where name = $1 and sha256 = $2`, [name, bytes(sha256)]);
      return rowCount === 1;
    },

    /**
     * False when no living key bears the name. All processes are told by the commit itself: so rare a write may take the
     * lock that notifications share (wakes.store.ts), and one that is sent with it cannot be lost between the two.
     */
    async revoke(name: string): Promise<boolean> {
      const { rowCount } = await pool.query(
        `with revoked as (
          update api_keys set revoked_at = date_trunc('milliseconds', clock_timestamp())
          where name = $1 and revoked_at = 'infinity' returning name)
        select pg_notify($2, '') from revoked`,
        [name, channel],
      );
      return rowCount === 1;
    },
  };
}

/** Cheap for as many keys as people make: one pass over the primary key. The transaction starts before its snapshot. */
const countColumns = `(select count(*) + count(*) filter (where revoked_at < 'infinity') from api_keys) as changes,
  (extract(epoch from transaction_timestamp()) * 1000000)::bigint as clock_before,
  (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_after`;

const changesText = `select ${countColumns}`;

/** At least one row, with the counts. */
const livingText = `select ${countColumns}, name, scope, encode(sha256, 'hex') as sha256, name is not null as is_living
  from (select) one left join api_keys on revoked_at = 'infinity'`;

interface Stamp {
  changes: number;
  clock_before: number;
  clock_after: number;
}

type KeyRow = Key & { sha256: string };

const byHash = (rows: readonly KeyRow[]): ReadonlyMap<string, Key> =>
  new Map(rows.map(({ name, scope, sha256 }) => [sha256, { name, scope }]));

const bytes = (sha256: string): Buffer => Buffer.from(sha256, 'hex');
