import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase } from '../../test/support/database.ts';
import { failureOf } from './failures.ts';
import { inPooledTransaction } from './transaction.ts';

test(
  'a connection that the server ends between two statements fails the next one, and nothing else',
  { timeout: 20_000 },
  async () => {
    const { pool } = await cloneDatabase();
    const broken = inPooledTransaction(pool, async (client) => {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      const ended = new Promise((resolve) => client.once('end', resolve));
      await pool.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
      await ended; // an event that nobody hears would end this process
      await client.query('select 1');
    });
    await assert.rejects(broken, (error) => failureOf(error) === 'unavailable' || /not queryable/.test(String(error)));
    assert.equal((await pool.query('select 1')).rowCount, 1);
  },
);
