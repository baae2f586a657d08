import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import pg, { type ClientConfig } from 'pg';
import { type Database, type DatabaseOptions, openDatabase } from '../../src/db/database.ts';
import { inDatabase } from './global-setup.ts';

/** Where the set-up of a run tells its test files about the server. */
export const serverVariable = 'SEGMENTD_TEST_SERVER';
export const templateName = 'segmentd_template';

export interface TestDatabase extends Database {
  readonly connection: ClientConfig;
  /** For `DATABASE_URL` of a process. */
  readonly url: string;
}

/**
 * A database of its own, cloned from the migrated template, from another one, to which nobody is connected afterwards, or
 * empty; dropped after the test file.
 */
export async function cloneDatabase({
  empty = false,
  poolSize = 10,
  from,
  ...options
}: { empty?: boolean; from?: TestDatabase } & Partial<DatabaseOptions> = {}): Promise<TestDatabase> {
  const server = JSON.parse(process.env[serverVariable] ?? 'null') as ClientConfig | null;
  if (!server) throw new Error('run the tests with npm test, which starts their server');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const template = from ? await left(server, from) : empty ? 'template0' : templateName;
  await asAdmin(server, `create database ${name} template ${template} strategy file_copy`);
  const connection = inDatabase(server, name);
  const database = openDatabase({ ...options, connection, poolSize });
  after(async () => {
    await database.close();
    await asAdmin(server, `drop database ${name} with (force)`);
  });
  return { ...database, connection, url: urlOf(connection) };
}

/** A second connection pool to the same database, as another process would have; closed after the test file. */
export function openAgain({ connection }: TestDatabase): Database {
  const database = openDatabase({ connection });
  after(() => database.close());
  return database;
}

/** Whether an app on the database has its keys in memory. */
export async function isFollowing({ pool }: Database): Promise<boolean> {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity
      where datname = current_database() and state = 'idle' and query ~ 'from api_keys\\) as changes'`,
  );
  return rowCount! > 0;
}

/** The name of a database whose sessions have ended, as a template must be. */
async function left(server: ClientConfig, { connection, url }: TestDatabase): Promise<string> {
  const name = connection.database ?? new URL(url).pathname.slice(1);
  await asAdmin(server, `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${name}'`);
  return name;
}

async function asAdmin(server: ClientConfig, text: string) {
  const admin = new pg.Client(server);
  await admin.connect();
  try {
    await admin.query(text);
  } finally {
    await admin.end();
  }
}

/** A connection as `DATABASE_URL` names it, the folder of a socket as its host. */
export function urlOf({ connectionString, host, port, user, database }: ClientConfig): string {
  return connectionString ?? `postgres://${user}@${encodeURIComponent(host!)}:${port}/${database}`;
}
