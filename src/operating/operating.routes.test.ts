import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { startApp } from '../../test/support/app.ts';
import { openDatabase } from '../db/database.ts';
import { findObstacles } from './readiness.store.ts';

const { as, call, database } = await startApp();
const nobody = as(null);

test('says that it lives and that it is ready, to anybody', async () => {
  assert.deepEqual((await nobody('GET', '/healthz')).body, { alive: true });
  const ready = await nobody('GET', '/readyz');
  assert.deepEqual([ready.status, ready.body], [200, { ready: true, not_ready: [] }]);
});

for (const [setting, value, reason] of [
  ['default_transaction_read_only', 'on', /a standby or read-only/],
  ['synchronous_commit', 'off', /synchronous_commit of the database is off: a crash could lose/],
  ['synchronous_commit', 'local', /synchronous_commit of the database is local/],
] as const) {
  test(`is not ready on a database with ${setting} = ${value}`, async () => {
    const name = database.connection.database ?? new URL(database.url).pathname.slice(1);
    await database.pool.query(`alter database ${name} set ${setting} = ${value}`);
    const fresh = openDatabase({ connection: database.connection });
    try {
      assert.match((await findObstacles(fresh)).join(), reason);
    } finally {
      await fresh.close();
      // A session of its own, since this database may be read-only by now.
      const mender = new pg.Client(database.connection);
      await mender.connect();
      await mender.query('set default_transaction_read_only = off');
      await mender.query(`alter database ${name} reset ${setting}`);
      await mender.end();
    }
  });
}

test('is not ready, but alive, while the database does not answer', async () => {
  const gone = openDatabase({ connection: { host: '127.0.0.1', port: 1 }, connectTimeoutMs: 500 });
  assert.deepEqual(await findObstacles(gone), ['the database does not answer']);
  await gone.close();
});

test('is not ready where another role writes whose sessions it may not see', async () => {
  const role = `segmentd_other_${process.pid}`;
  await database.pool.query(`create role ${role} login`);
  await database.pool.query(`grant select on definitions to ${role}`);
  const { host, port, database: name } = database.connection;
  const url = new URL(database.url.replace('@/', '@localhost/'));
  url.username = role;
  const other = openDatabase({ connection: host ? { host, port, database: name, user: role } : { connectionString: url.href } });
  try {
    assert.deepEqual(await findObstacles(other), [
      'another role writes here too, whose sessions this role may not see: grant it pg_read_all_stats',
    ]);
    await database.pool.query(`grant pg_read_all_stats to ${role}`);
    assert.deepEqual(await findObstacles(other), []);
  } finally {
    await other.close();
    await database.pool.query(`drop owned by ${role}; drop role ${role}`);
  }
});

test('shows its figures, by route and not by id', async () => {
  await call('GET', '/v1/users/somebody-private/segments');
  await call('GET', '/v1/nothing/somebody-private');
  const { text, headers } = await call('GET', '/metrics');
  assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
  assert.match(
    text,
    /segmentd_http_request_duration_seconds_count\{method="GET",route="\/v1\/users\/:user_id\/segments",status="200"\} 1/,
  );
  assert.match(text, /route="unknown",status="404"/);
  assert.match(text, /segmentd_stale_decisions_total 0/);
  assert.match(text, /nodejs_eventloop_lag_seconds/);
  assert.ok(!text.includes('somebody-private'));
});
