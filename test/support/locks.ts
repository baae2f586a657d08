import type { TestContext } from 'node:test';
import type { TestDatabase } from './database.ts';

/** Whoever reads or writes the table waits until it is let go, at the latest when the test is over. */
export async function holdUp(t: TestContext, database: TestDatabase, table: string) {
  const holder = await database.connect();
  t.after(() => holder.end());
  await holder.query(`begin; lock table ${table} in access exclusive mode`);
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  return {
    waiting: async () => (await database.pool.query(waiting)).rowCount!,
    release: () => holder.query('commit'),
  };
}
