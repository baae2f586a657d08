import type { Database } from '../db/database.ts';
import { brokenConstraint } from '../db/failures.ts';
import { gather } from '../db/gather.ts';
import type { Moment } from '../timeline/facts.ts';
import type { Key, Scope } from './key.ts';

export interface ListedKey extends Key {
  readonly createdAt: Moment;
  readonly revokedAt: Moment;
}

export type KeysStore = ReturnType<typeof keysStore>;

/** Keys are stored only as the SHA-256 of their text. */
export function keysStore({ pool }: Database) {
  const findGathered = gather<Buffer, Key | null>({
    lanes: 2,
    maxItems: 500,
    run: async (hashes) => {
      const { rows } = await pool.query<Key & { sha256: Buffer }>({
        name: 'keys.find',
        text: `select name, scope, sha256 from api_keys where sha256 = any($1::bytea[]) and revoked_at = 'infinity'`,
        values: [hashes],
      });
      const found = new Map(rows.map(({ name, scope, sha256 }) => [sha256.toString('hex'), { name, scope }]));
      return hashes.map((hash) => found.get(hash.toString('hex')) ?? null);
    },
  });

  return {
    /** The key of that hash, or null where there is none or it was revoked. */
    find: (sha256: Buffer): Promise<Key | null> => findGathered(sha256),

    /** By name. */
    async list(): Promise<ListedKey[]> {
      const { rows } = await pool.query<{ name: string; scope: Scope; created_at: Moment; revoked_at: Moment }>(
        `select name, scope, created_at, revoked_at from api_keys order by name`,
      );
      return rows.map((row) => ({ name: row.name, scope: row.scope, createdAt: row.created_at, revokedAt: row.revoked_at }));
    },

    /** False when the name was given before, to a key revoked since or not: the primary key decides. */
    async insert({ name, scope }: Key, sha256: Buffer): Promise<boolean> {
      try {
        await pool.query(`insert into api_keys (name, sha256, scope) values ($1, $2, $3)`, [name, sha256, scope]);
        return true;
      } catch (error) {
        if (brokenConstraint(error) === 'api_keys_pkey') return false;
        throw error;
      }
    },

    /** Only into an empty table. Of several processes that try at once with one name the primary key lets one succeed. */
    async insertFirst({ name, scope }: Key, sha256: Buffer): Promise<boolean> {
      const { rowCount } = await pool.query(
        `insert into api_keys (name, sha256, scope) select $1, $2, $3 where not exists (select from api_keys) on conflict do nothing`,
        [name, sha256, scope],
      );
      return rowCount === 1;
    },

    /** False when no living key bears the name. */
    async revoke(name: string): Promise<boolean> {
      const { rowCount } = await pool.query(
        `update api_keys set revoked_at = date_trunc('milliseconds', clock_timestamp()) where name = $1 and revoked_at = 'infinity'`,
        [name],
      );
      return rowCount === 1;
    },
  };
}
