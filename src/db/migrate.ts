import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';

const folder = new URL('../../migrations/', import.meta.url);

/** Whoever migrates holds this advisory lock, so that of many processes starting at once one does the work. */
const migrationLock = 0x5e6d_0001;

/** A migration of large tables, or the wait for another's, may take long; the limit of ordinary queries is not for it. */
const dayMs = 86_400_000;

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
  const run = (text: string, values: unknown[] = []) => client.query<{ version: number }>(patient(text, values));
  try {
    await run(`set statement_timeout = 0`);
    await run(`set lock_timeout = 0`);
    await run(`select pg_advisory_lock(${migrationLock})`);
    await run(recordsText);
    const { rows } = await run(`select coalesce(max(version), 0)::integer as version from schema_migrations`);
    const reached = rows[0]!.version;
    const newest = migrations.at(-1)!.version;
    if (reached > newest) {
      throw new SchemaTooNew(
        `The database has schema version ${reached}; this release knows versions up to ${newest}. Run a newer release.`,
      );
    }
    const missing = migrations.filter(({ version }) => version > reached);
    for (const { version, name } of missing) {
      const sql = await readFile(new URL(name, folder), 'utf8');
      await run('begin');
      // Without parameters, so that one query may hold many statements.
      await client.query(patient(sql));
      await run(`insert into schema_migrations (version, name) values ($1, $2)`, [version, name]);
      await run('commit');
    }
    return missing;
  } finally {
    client.release(true); // the session's lock and its lifted limits go with it, and what was not committed
  }
}

/** The driver takes its limit from the query too, which its types do not know. */
const patient = (text: string, values?: unknown[]): pg.QueryConfig & { query_timeout: number } => ({
  text,
  ...(values ? { values } : {}),
  query_timeout: dayMs,
});

const recordsText = `create table if not exists schema_migrations (version integer primary key, name text not null,
    applied_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()))`;
