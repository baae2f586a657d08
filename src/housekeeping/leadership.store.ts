import type { Database, DatabaseClient } from '../db/database.ts';

/** Whoever keeps house in a database holds this advisory lock; it goes with its connection. */
const housekeepingLock = 0x5e6d_0002;

/**
 * A connection of its own, which the server ends when nothing has come over it for so long: a process that is cut off must
 * not keep the others from the work until TCP notices. Its searches go along an index and stop after some hundred rows; on
 * statistics of before a large import the planner would read all and sort it, each time (measured: 120 ms instead of 1).
 */
export async function openClient(database: Database, idleLimitMs: number): Promise<DatabaseClient> {
  const client = await database.connect();
  await client.query(`select set_config('idle_session_timeout', $1, false), set_config('enable_sort', 'off', false)`, [
    String(idleLimitMs),
  ]);
  return client;
}

/** Takes the lock for as long as the connection lives, unless another process has it. Never waits. */
export async function tryLead(client: DatabaseClient): Promise<boolean> {
  const { rows } = await client.query<{ leads: boolean }>({
    name: 'housekeeping.lead',
    text: `select pg_try_advisory_lock($1) as leads`,
    values: [housekeepingLock],
  });
  return rows[0]!.leads;
}

/** The database's clock, in microseconds. */
export async function readClock(client: DatabaseClient): Promise<number> {
  const { rows } = await client.query<{ clock: number }>({
    name: 'housekeeping.clock',
    text: `select (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock`,
  });
  return rows[0]!.clock;
}
