import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg, { type ClientConfig } from 'pg';
import { openDatabase } from '../../src/db/database.ts';
import { openEmbeddedPostgres } from '../../src/db/embedded/embedded.ts';
import { BenchError } from './processes.ts';

export interface Where {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
}

export interface PostgresServer extends AsyncDisposable {
  /** What of its settings bears on the figures. */
  readonly settings: Readonly<Record<string, string>>;
  /** An empty database, or a copy of another that nobody is connected to; dropped when it is disposed of. */
  createDatabase(template?: BenchDatabase): Promise<BenchDatabase>;
}

export interface BenchDatabase extends AsyncDisposable {
  readonly where: Where;
  /** For `DATABASE_URL`. */
  readonly url: string;
  /** For pgbench: the place, and the settings of the service's own sessions. */
  pgEnvironment(): Promise<NodeJS.ProcessEnv>;
  /** One statement on a connection of its own, without a limit of time. */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
}

const told = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  'shared_buffers',
  'max_wal_size',
];

/**
 * The server of `BENCH_DATABASE_URL`, else the embedded one in a temporary folder with its settings as they are. Refuses
 * one whose commits are not durable: it would be faster than anything that may be compared with it.
 */
export async function openServer(): Promise<PostgresServer> {
  const given = process.env.BENCH_DATABASE_URL;
  const { where, stop } = given ? { where: whereOf({ connectionString: given }), stop: async () => {} } : await startEmbedded();
  try {
    const rows = await query<{ name: string; setting: string }>(
      where,
      `select name, current_setting(name) as setting from pg_settings where name = any ($1)`,
      [told],
    ).catch((error: unknown) => {
      throw new BenchError(`the PostgreSQL server does not answer: ${String(error)}`, { cause: error });
    });
    const settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
    const { fsync, synchronous_commit: commit } = settings;
    if (fsync !== 'on' || commit === 'off' || commit === 'local') {
      throw new BenchError(`commits of this server are not durable: fsync is ${fsync}, synchronous_commit is ${commit}`);
    }
    return {
      settings: { ...settings, server: given ? 'of BENCH_DATABASE_URL' : 'embedded' },
      createDatabase: (template) => createDatabase(where, template),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startEmbedded() {
  const dataDir = await mkdtemp(join(tmpdir(), 'segmentd-bench-'));
  const server = await openEmbeddedPostgres({ dataDir, role: 'join', log: () => {} });
  const stop = async () => {
    await server.release();
    await rm(dataDir, { recursive: true, force: true });
  };
  return { where: server.connection as Where, stop };
}

/** The parts of an address as the driver understands it. */
function whereOf(config: ClientConfig): Where {
  const { host, port, user, password, database } = new pg.Client(config);
  return { host, port, user: user ?? 'postgres', database: database ?? 'postgres', ...(password ? { password } : {}) };
}

let made = 0;

async function createDatabase(server: Where, template?: BenchDatabase): Promise<BenchDatabase> {
  const name = `segmentd_bench_${process.pid}_${++made}`;
  await query(server, `create database ${name}${template ? ` template ${template.where.database} strategy file_copy` : ''}`);
  const where = { ...server, database: name };
  return {
    where,
    url: urlOf(where),
    pgEnvironment: () => pgEnvironment(where),
    query: (text, values) => query(where, text, values),
    [Symbol.asyncDispose]: async () => {
      await query(server, `drop database ${name} with (force)`);
    },
  };
}

async function query<Row extends pg.QueryResultRow>(where: Where, text: string, values?: unknown[]): Promise<Row[]> {
  const client = new pg.Client({ ...where });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

function urlOf({ host, port, user, password, database }: Where): string {
  const account = encodeURIComponent(user) + (password ? `:${encodeURIComponent(password)}` : '');
  return `postgres://${account}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}

/** Read from a session of the service rather than written down again, so that pgbench has the same plans. */
async function pgEnvironment(where: Where): Promise<NodeJS.ProcessEnv> {
  const database = openDatabase({ connection: { ...where } });
  const client = await database.connect();
  const { rows } = await client.query<{ name: string; setting: string }>(
    `select name, current_setting(name) as setting from pg_settings where source = 'session' and name <> 'application_name'`,
  );
  await client.end();
  await database.close();
  return {
    PGHOST: where.host,
    PGPORT: String(where.port),
    PGUSER: where.user,
    PGDATABASE: where.database,
    ...(where.password ? { PGPASSWORD: where.password } : {}),
    PGOPTIONS: rows.map(({ name, setting }) => `-c ${name}=${setting.replaceAll(/[\\ ]/g, String.raw`\$&`)}`).join(' '),
  };
}
