import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';

const folder = new URL('../../migrations/', import.meta.url);

/** Whoever migrates holds this advisory lock, so that of many processes starting at once one does the work. */
const migrationLock = 0x5e6d_0001;

export class SchemaTooNew extends Error {}

export interface Migration {
  readonly version: number;
  readonly name: string;
}

/** The numbered files in `migrations/`, in order. They only go forward. */
export async function findMigrations(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort();
  return names.map((name) => ({ version: Number(name.slice(0, 4)), name }));
}

/**
 * Brings the schema to the newest version and answers what it applied. Each file is one transaction together with its
 * record in `schema_migrations`. Others that start at the same time wait for the lock and then find nothing to do.
 * Throws `SchemaTooNew` when the database was migrated by a newer release.
 */
export async function migrate(pool: pg.Pool): Promise<Migration[]> {
  const migrations = await findMigrations();
  const client = await pool.connect();
  try {
    await client.query(`set statement_timeout = 0; set lock_timeout = 0`);
    await client.query(`select pg_advisory_lock(${migrationLock})`);
    await client.query(
      `create table if not exists schema_migrations (version integer primary key, name text not null, applied_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()))`,
    );
    const { rows } = await client.query<{ version: number }>(
      `select coalesce(max(version), 0)::integer as version from schema_migrations`,
    );
    const reached = rows[0]!.version;
    const newest = migrations.at(-1)!.version;
    if (reached > newest) {
      throw new SchemaTooNew(
        `The database has schema version ${reached}; this release knows versions up to ${newest}. Run a newer release.`,
      );
    }
    const missing = migrations.filter(({ version }) => version > reached);
    for (const migration of missing) await apply(client, migration);
    return missing;
  } finally {
    client.release(true); // the session's lock and its lifted limits go with it
  }
}

async function apply(client: pg.PoolClient, { version, name }: Migration): Promise<void> {
  const sql = await readFile(new URL(name, folder), 'utf8');
  await client.query('begin');
  await client.query(sql);
  await client.query(`insert into schema_migrations (version, name) values ($1, $2)`, [version, name]);
  await client.query('commit');
}
