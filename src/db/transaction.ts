import type pg from 'pg';

/** Commits what `work` did on this connection, or rolls it back where it throws. */
export async function inTransaction<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const answer = await work();
    await client.query('commit');
    return answer;
  } catch (error) {
    await client.query('rollback').catch(() => {}); // a lost connection has done so
    throw error;
  }
}

/** The same on a connection of the pool, which is given up where anything fails. */
export async function inPooledTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let isSound = false;
  try {
    const answer = await inTransaction(client, () => work(client));
    isSound = true;
    return answer;
  } finally {
    client.release(!isSound);
  }
}
