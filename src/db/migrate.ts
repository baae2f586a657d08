import { hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';

const folder = new URL('../../migrations/', import.meta.url);

/** Whoever migrates holds this advisory lock, so that of many processes starting at once one does the work. */
const migrationLock = 0x5e6d_0001;

/** A migration of large tables, or the wait for another's, may take long; the limit of ordinary queries is not for it. */
const dayMs = 86_400_000;

/** The database is not as this release needs it. The message says what to do. */
export class SchemaError extends Error {}

/** It was migrated by a newer release. */
export class SchemaTooNew extends SchemaError {}

export interface Migration {
  readonly version: number;
  readonly name: string;
}

interface MigrationFile extends Migration {
  readonly sql: string;
  /** In hexadecimal, of the text with LF at the ends of lines. */
  readonly sha256: string;
}

/** What the database tells of a migration. No checksum: it was recorded before there were any. */
interface MigrationRecord extends Migration {
  readonly sha256: string | null;
}

/** The numbered files in `migrations/`, in order. They only go forward. */
export async function findMigrations(): Promise<MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = (await readFile(new URL(name, folder), 'utf8')).replaceAll('\r\n', '\n');
      return { version: Number(name.slice(0, 4)), name, sql, sha256: hash('sha256', sql, 'hex') };
    }),
  );
}

/**
 * Brings the schema to the newest version and answers what it applied. Each file is one transaction together with its
 * record in `schema_migrations`. Others that start at the same time wait for the lock and then find nothing to do.
 * Throws `SchemaTooNew` when the database was migrated by a newer release, `SchemaError` when what is recorded is not what
 * this release would have applied; then nothing is changed.
 */
export async function migrate(pool: pg.Pool): Promise<Migration[]> {
  const migrations = await findMigrations();
  const client = await pool.connect();
  const run = (text: string, values: unknown[] = []) => client.query<MigrationRecord>(patient(text, values));
  try {
    await run(`set statement_timeout = 0`);
    await run(`set lock_timeout = 0`);
    await run(`select pg_advisory_lock(${migrationLock})`);
    await run(`create table if not exists schema_migrations (version integer primary key, name text not null,
      applied_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()))`);
    const { rows: records } = await run(recordsText);
    refuseOthers(records, migrations);
    await keepChecksums(run, records, migrations);
    const missing = migrations.filter(({ version }) => version > records.length);
    for (const { version, name, sql, sha256 } of missing) {
      await run('begin');
      // Without parameters, so that one query may hold many statements.
      await client.query(patient(sql));
      await run(`insert into schema_migrations (version, name, sha256) values ($1, $2, $3)`, [version, name, sha256]);
      await run('commit');
    }
    return missing.map(({ version, name }) => ({ version, name }));
  } finally {
    client.release(true); // the session's lock and its lifted limits go with it, and what was not committed
  }
}

/** Throws `SchemaError` unless the schema is the one that this release needs. Changes nothing. */
export async function requireSchema(pool: pg.Pool): Promise<void> {
  const migrations = await findMigrations();
  const { rows: tables } = await pool.query<{ is_there: boolean }>(
    `select to_regclass('schema_migrations') is not null as is_there`,
  );
  const records = tables[0]!.is_there ? (await pool.query<MigrationRecord>(recordsText)).rows : [];
  refuseOthers(records, migrations);
  if (records.length < migrations.length) {
    throw new SchemaError(
      `The database has schema version ${records.length}; this release needs version ${migrations.length}. Run segmentd migrate.`,
    );
  }
}

/** What is recorded must be the first of the files, each as it is now: else nobody knows what the schema is. */
function refuseOthers(records: readonly MigrationRecord[], migrations: readonly MigrationFile[]) {
  const [reached, newest] = [records.at(-1)?.version ?? 0, migrations.at(-1)!.version];
  if (reached > newest) {
    throw new SchemaTooNew(
      `The database has schema version ${reached}; this release knows versions up to ${newest}. Run a newer release.`,
    );
  }
  for (const [i, { version, name, sha256 }] of migrations.slice(0, reached).entries()) {
    const record = records[i];
    const wrong =
      record?.version !== version
        ? `has schema version ${reached}, but no record of ${name}`
        : record.name !== name
          ? `records ${record.name} as version ${version}, where this release has ${name}`
          : (record.sha256 ?? sha256) !== sha256
            ? `was migrated by another ${name} than the one in this release`
            : undefined;
    if (wrong) throw new SchemaError(`The database ${wrong}. Run the release that migrated it, or restore a backup.`);
  }
}

/** Those of what was recorded before there were any: as the files are now. */
async function keepChecksums(
  run: (text: string, values?: unknown[]) => Promise<unknown>,
  records: readonly MigrationRecord[],
  migrations: readonly MigrationFile[],
) {
  await run(`alter table schema_migrations add column if not exists sha256 text`);
  for (const [i, { version, sha256 }] of records.entries()) {
    if (sha256 !== null) continue;
    await run(`update schema_migrations set sha256 = $2 where version = $1`, [version, migrations[i]!.sha256]);
  }
}

/** The driver takes its limit from the query too, which its types do not know. */
const patient = (text: string, values?: unknown[]): pg.QueryConfig & { query_timeout: number } => ({
  text,
  ...(values ? { values } : {}),
  query_timeout: dayMs,
});

/** The column of checksums may be missing. */
const recordsText = `select version, name, to_jsonb(m) ->> 'sha256' as sha256 from schema_migrations m order by version`;
