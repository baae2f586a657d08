import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { PoolClient } from 'pg';
import { startApp } from '../../test/support/app.ts';
import { until } from '../../test/support/service.ts';

const { call, database } = await startApp();
await call('POST', '/v1/segments', { slug: 'A' });
beforeEach(() => call('PATCH', '/v1/users/1000/segments', { add: ['A'] }));

/** A writer that has taken its moment and does not commit: it holds the gate and the user's row. */
async function stuckWriter(): Promise<{ end: () => Promise<void>; client: PoolClient }> {
  const client = await database.pool.connect();
  await client.query('begin');
  const { rows } = await client.query<{ version: number; revision: number }>(
    `select (select version from definitions), (select revision from users where user_id = '1000')`,
  );
  const { version, revision } = rows[0]!;
  await client.query(
    `select * from apply_changes($1, 0, '{1000}', array[$2]::bigint[], '{infinity}', '{}', '{}', '{}', '{}', '{}', '{}',
       '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')`,
    [version, revision],
  );
  return {
    client,
    end: async () => {
      await client.query('rollback');
      client.release();
    },
  };
}

const secondsAgo = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();

test('exact reads never wait for a writer', async () => {
  const { end } = await stuckWriter();
  try {
    for (const path of ['segments?last_revision=true', 'segments', 'segments/A', 'memberships']) {
      assert.equal((await call('GET', `/v1/users/1000/${path}`)).status, 200);
    }
    assert.equal((await call('GET', '/v1/segments/A/members')).status, 200);
  } finally {
    await end();
  }
});

test('a moment in which a write may still land is waited for, then refused; an older one is answered at once', async () => {
  const long = (await call('GET', '/v1/users/1000/segments')).body.as_of as string;
  await until(async () => (await call('GET', `/v1/users/1000/segments?at=${long}`)).status === 200, 'the moment to be settled');
  const { end } = await stuckWriter();
  try {
    const now = (await call('GET', '/v1/users/1000/segments?last_revision=true')).body.as_of as string;
    const refused = await call('GET', `/v1/users/1000/segments?at=${now}`);
    assert.deepEqual([refused.status, refused.body.code, refused.headers['retry-after']], [503, 'moment_not_settled', '1']);
    const history = await call('GET', '/v1/users/1000/history?month=2026-11');
    assert.deepEqual([history.status, history.body.code], [503, 'moment_not_settled']);
    assert.equal((await call('GET', `/v1/users/1000/segments?at=${long}`)).status, 200);
    assert.equal((await call('GET', `/v1/users/1000/history?from=${secondsAgo(3600)}&to=${long}`)).status, 200);
  } finally {
    await end();
  }
});

test('it is answered as soon as the write is through', async () => {
  const { end } = await stuckWriter();
  const now = (await call('GET', '/v1/users/1000/segments?last_revision=true')).body.as_of as string;
  const asked = call('GET', `/v1/users/1000/segments?at=${now}`);
  await until(
    async () =>
      (await database.pool.query(`select from pg_stat_activity where query like '%settle()%' and pid <> pg_backend_pid()`))
        .rowCount! > 0,
    'the reader to ask',
  );
  await end();
  assert.equal((await asked).status, 200);
});

test('the settled moment never goes back, and everything acknowledged before a history was asked for is in it', async () => {
  let last = '';
  for (let i = 0; i < 30; i++) {
    const change = await call('PATCH', '/v1/users/1001/segments', i % 2 ? { remove: ['A'] } : { add: ['A'] });
    const { body } = await call(
      'GET',
      `/v1/users/1001/history?from=${secondsAgo(60)}&to=${new Date(Date.now() + 60_000).toISOString()}`,
    );
    assert.equal(body.events.at(-1).at, change.body.as_of);
    assert.ok(body.to > last && body.to > change.body.as_of);
    last = body.to;
  }
});

test('a clock that went back a long way refuses changes rather than write a wrong moment', async () => {
  await database.pool.query(`select setval('settled', (extract(epoch from clock_timestamp()) * 1000000)::bigint + 60000000)`);
  const refused = await call('PATCH', '/v1/users/1000/segments', { remove: ['A'] });
  assert.deepEqual([refused.status, refused.body.code], [503, 'clock_behind']);
  assert.deepEqual((await call('GET', '/v1/users/1000/segments')).body.segments, ['A']);
});
