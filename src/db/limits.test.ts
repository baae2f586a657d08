import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { cloneDatabase, openAgain } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { openDatabase } from './database.ts';
import { failureOf } from './failures.ts';

const database = await cloneDatabase();
/** A session that nothing limits. */
const holder = await openAgain(database).connect();
await holder.query(`set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0`);

/** The app on a database of its own with these limits, and what a request is answered while a table is locked. */
async function whileLocked(table: string, limits: { statementMs?: number; lockMs?: number }) {
  const limited = await cloneDatabase({ limits });
  const { call } = await startApp({ database: limited });
  await call('POST', '/v1/segments', { slug: 'A' });
  const other = await openAgain(limited).connect();
  await other.query(`begin; lock table ${table} in access exclusive mode`);
  try {
    return await Promise.all([
      call('GET', '/v1/users/1/segments?last_revision=true'),
      call('GET', '/v1/users/1/history?month=2025-11'),
      call('PATCH', '/v1/users/2/segments', { add: ['A'] }),
    ]);
  } finally {
    await other.end();
    const change = () => call('PATCH', '/v1/users/2/segments', { add: ['A'] });
    await until(async () => (await change()).status === 200, 'it to go on by itself');
  }
}

test('each connection has the limits, of the pool and beside it', async () => {
  const text = `select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
    current_setting('idle_in_transaction_session_timeout') as idle`;
  const limits = { statement: '10s', lock: '5s', idle: '10s' };
  const alone = await database.connect();
  assert.deepEqual((await database.pool.query(text)).rows, [limits]);
  assert.deepEqual((await alone.query(text)).rows, [limits]);
  await alone.end();
});

for (const [what, limits] of [
  ['a lock', { lockMs: 150 }],
  ['a statement', { statementMs: 150, lockMs: 60_000 }],
] as const) {
  test(`who waits too long for ${what} is told so`, async () => {
    for (const { status, body, headers } of await whileLocked('memberships', limits))
      assert.deepEqual([status, body.code, headers['retry-after']], [503, 'overloaded', '2']);
  });
}

test('a transaction that its session leaves open is ended by the server, and its locks with it', async () => {
  const careless = openDatabase({ connection: database.connection, limits: { idleInTransactionMs: 150 } });
  const client = await careless.pool.connect();
  await client.query('begin; lock table gate in exclusive mode');
  client.on('error', () => {}); // ended by the server, as is to be shown
  await holder.query('lock table gate in row share mode').catch(() => holder.query('begin; lock table gate in row share mode'));
  await holder.query('rollback');
  const broken = await client.query('select 1').then(
    () => undefined,
    (error: unknown) => failureOf(error),
  );
  assert.equal(broken, 'unavailable');
  client.release(true);
  assert.equal((await careless.pool.query('select 1')).rowCount, 1);
  await careless.close();
});

test('who finds no connection of the pool free in time is told so, and the service is not ready meanwhile', async () => {
  const small = await cloneDatabase({ poolSize: 2, connectTimeoutMs: 150 });
  const { as, call } = await startApp({ database: small });
  await call('POST', '/v1/segments', { slug: 'A' });
  const taken = [await small.pool.connect(), await small.pool.connect()];
  const read = await call('GET', '/v1/users/1/segments?last_revision=true');
  assert.deepEqual([read.status, read.body.code], [503, 'overloaded']);
  const write = await call('PATCH', '/v1/users/1/segments', { add: ['A'] });
  assert.deepEqual([write.status, write.body.code], [503, 'overloaded']);
  const ready = await as(null)('GET', '/readyz');
  assert.deepEqual([ready.status, ready.body], [503, { ready: false, not_ready: ['the database has too much to do'] }]);
  assert.equal((await as(null)('GET', '/healthz')).status, 200);
  for (const client of taken) client.release();
  assert.equal((await call('GET', '/v1/users/1/segments?last_revision=true')).body.segments, null, 'nothing was changed');
  await until(async () => (await as(null)('GET', '/readyz')).status === 200, 'it to be ready');
});
