import pg from 'pg';
import { type DatabaseClock, databaseClock } from './clock.ts';
import { StandbyError } from './failures.ts';
import { parseMomentText } from './moments.ts';

/** One PostgreSQL, its connections, and this process's estimate of its clock. */
export interface Database {
  readonly pool: pg.Pool;
  readonly clock: DatabaseClock;
  /**
   * A connection outside the pool: to listen, to follow, to read long streams. Whoever asked for it ends it.
   * `queryTimeoutMs`: how long a statement is waited for, 0 for ever; default 20,000.
   */
  connect(options?: { queryTimeoutMs?: number }): Promise<DatabaseClient>;
  close(): Promise<void>;
}

export type DatabaseClient = pg.Client;

export interface DatabaseOptions {
  readonly connection: pg.ClientConfig;
  /** Connections at most. Default 10. */
  readonly poolSize?: number;
  /** How long a caller waits for a free connection or a new one. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Default: `defaultLimits`. */
  readonly limits?: Partial<DatabaseLimits>;
  /** What a connection that broke while idle said; the pool replaces it by itself. */
  readonly onIdleError?: (error: Error) => void;
}

/** How long the server lets a session of ours go on, in milliseconds. */
export interface DatabaseLimits {
  readonly statementMs: number;
  /** Waiting for a lock. */
  readonly lockMs: number;
  /** Inside a transaction, between two statements. */
  readonly idleInTransactionMs: number;
}

const defaultLimits: DatabaseLimits = { statementMs: 10_000, lockMs: 5_000, idleInTransactionMs: 10_000 };

/**
 * Settings of every connection. Plans made for small tables, or anew each call, were measured at 75 ms and at half the
 * throughput; the limits keep one stuck session from holding back `settle` and the gate; a write is acknowledged only when
 * it is on disk. `set_config` rather than start-up options, because poolers refuse those.
 */
const sessionSettings = {
  application_name: 'segmentd',
  timezone: 'UTC',
  datestyle: 'ISO',
  jit: 'off',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  max_parallel_workers_per_gather: '0',
  plan_cache_mode: 'force_generic_plan',
  default_transaction_isolation: 'read committed',
};

const settingsOf = ({ statementMs, lockMs, idleInTransactionMs }: DatabaseLimits) => ({
  ...sessionSettings,
  statement_timeout: `${statementMs}ms`,
  lock_timeout: `${lockMs}ms`,
  idle_in_transaction_session_timeout: `${idleInTransactionMs}ms`,
});

/** The server's own limits end a statement; this one is for a network that swallows everything. */
const defaultQueryTimeoutMs = 20_000;

/** After so long without a word the server is asked whether it is there; the kernel gives it up some ten seconds later. */
const keepAliveMs = 10_000;

/** Opens nothing yet: connections are made when they are needed. */
export function openDatabase(options: DatabaseOptions): Database {
  const connection = {
    ...options.connection,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    types: { getTypeParser },
  };
  const settings = settingsOf({ ...defaultLimits, ...options.limits });
  const pool = new pg.Pool({
    ...connection,
    max: options.poolSize ?? 10,
    idleTimeoutMillis: 60_000,
    query_timeout: defaultQueryTimeoutMs,
    // The pool waits for it before it hands the connection out.
    // oxlint-disable-next-line typescript/no-misused-promises
    onConnect(client) {
      // The pool listens only while it has the connection in hand. One that breaks between two statements of a transaction
      // would end the process; it shows in the next statement.
      client.on('error', () => {});
      return applySettings(client, settings);
    },
  });
  pool.on('error', (error) => options.onIdleError?.(error));
  const connect = async ({ queryTimeoutMs = defaultQueryTimeoutMs } = {}) => {
    const client = new pg.Client({ ...connection, query_timeout: queryTimeoutMs });
    client.on('error', () => {}); // a break shows in the statement under way, or in the next
    try {
      await client.connect();
      await applySettings(client, settings);
      return client;
    } catch (error) {
      await client.end().catch(() => {}); // what went wrong is known already
      throw error;
    }
  };
  return { pool, clock: databaseClock(), connect, close: () => pool.end() };
}

/**
 * A server in recovery is refused: what it holds may be old, or of a history that others have left. One that is promoted
 * keeps its connections, and one that writes becomes a standby only by a restart, so asking once is enough.
 */
async function applySettings(client: pg.ClientBase, settings: Record<string, string>): Promise<void> {
  const { rows } = await client.query<{ is_standby: boolean }>({
    text: `select set_config(name, value, false), pg_is_in_recovery() as is_standby from unnest($1::text[], $2::text[]) s (name, value)`,
    values: [Object.keys(settings), Object.values(settings)],
  });
  if (rows[0]!.is_standby) throw new StandbyError();
}

const { TIMESTAMPTZ: timestamptz, INT8: int8 } = pg.types.builtins as { TIMESTAMPTZ: number; INT8: number };

/** Moments come as milliseconds, `bigint` as a number: ours are clocks in microseconds and versions, below 2^53 until 2255. */
function getTypeParser(oid: number) {
  if (oid === timestamptz) return parseMomentText;
  if (oid === int8) return Number;
  return pg.types.getTypeParser(oid);
}
