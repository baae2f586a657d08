import type { Database } from '../db/database.ts';

/** How the database stands, as far as reads and writes depend on it. */
export interface DatabaseState {
  /** False on a standby. */
  readonly isWritable: boolean;
  /** Whether an acknowledged commit is on disk: `synchronous_commit` at least `on`. */
  readonly isDurable: boolean;
}

/** Asks the database, and so tells the clock of it too. */
export async function findDatabaseState({ pool, clock }: Database): Promise<DatabaseState> {
  const { rows } = await pool.query<{ writable: boolean; synchronous: string; clock: number }>(
    `select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as writable,
       current_setting('synchronous_commit') as synchronous,
       (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock
     from definitions`,
  );
  const row = rows[0]!;
  clock.observe(row.clock);
  return { isWritable: row.writable, isDurable: row.synchronous === 'on' || row.synchronous === 'remote_apply' };
}
