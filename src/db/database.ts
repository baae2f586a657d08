import pg from 'pg';
import { type DatabaseClock, databaseClock } from './clock.ts';
import { parseMomentText } from './moments.ts';

/** One PostgreSQL, its connections, and this process's estimate of its clock. */
export interface Database {
  readonly pool: pg.Pool;
  readonly clock: DatabaseClock;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly connection: pg.ClientConfig;
  /** Connections at most. Default 10. */
  readonly poolSize?: number;
  /** How long a caller waits for a free connection or a new one. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** What a connection that broke while idle said; the pool replaces it by itself. */
  readonly onIdleError?: (error: Error) => void;
}

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
  plan_cache_mode: 'force_generic_plan',
  default_transaction_isolation: 'read committed',
  statement_timeout: '10s',
  lock_timeout: '5s',
  idle_in_transaction_session_timeout: '10s',
};

/** Opens nothing yet: connections are made when they are needed. */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    ...options.connection,
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    // The server's own limits end a statement; this one is for a network that swallows everything.
    query_timeout: 20_000,
    types: { getTypeParser },
    // The pool waits for it before it hands the connection out.
    // oxlint-disable-next-line typescript/no-misused-promises
    onConnect: async (client) => {
      await client.query({
        text: `select set_config(name, value, false) from unnest($1::text[], $2::text[]) s (name, value)`,
        values: [Object.keys(sessionSettings), Object.values(sessionSettings)],
      });
    },
  });
  pool.on('error', (error) => options.onIdleError?.(error));
  return { pool, clock: databaseClock(), close: () => pool.end() };
}

const { TIMESTAMPTZ: timestamptz, INT8: int8 } = pg.types.builtins as { TIMESTAMPTZ: number; INT8: number };

/** Moments come as milliseconds, `bigint` as a number: ours are clocks in microseconds and versions, below 2^53 until 2255. */
function getTypeParser(oid: number) {
  if (oid === timestamptz) return parseMomentText;
  if (oid === int8) return Number;
  return pg.types.getTypeParser(oid);
}
