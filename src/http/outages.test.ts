import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import pino from 'pino';
import { startApp } from '../../test/support/app.ts';
import { isFollowing, openAgain } from '../../test/support/database.ts';
import { inDatabase } from '../../test/support/global-setup.ts';
import { until } from '../../test/support/service.ts';
import { newKey } from '../access/key.ts';
import { buildApp } from '../app.ts';

const { as, call, database, keys } = await startApp();
const links = { secret: Buffer.from('a secret of the tests'), ttlSeconds: 60, publicUrl: null };
const name = (await database.pool.query<{ name: string }>('select current_database() as name')).rows[0]!.name;

async function asAdmin<T>(use: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client(inDatabase(database.connection, 'postgres'));
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.end();
  }
}

/** Ends every session of the database, and waits until both sides know. Those that follow it come back at once when they may. */
async function cutOff(admin: pg.Client) {
  await admin.query(`alter database ${name} allow_connections false`);
  await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`, [name]);
  for (let tries = 0; tries < 200; tries++) {
    const { rowCount } = await admin.query(`select from pg_stat_activity where datname = $1`, [name]);
    if (rowCount === 0 && database.pool.totalCount === 0) return;
    await wait(10);
  }
  assert.fail('sessions of the database are still there');
}

const slug = 'A';
test('before anything fails the service is ready', async () => {
  await until(() => isFollowing(database), 'the keys to be in memory');
  assert.equal((await call('POST', '/v1/segments', { slug })).status, 201);
  const { status, body } = await as(null)('GET', '/readyz');
  assert.deepEqual([status, body], [200, { ready: true, not_ready: [] }]);
});

test('while the database is gone what needs it is a 503 that says when to ask again; then the service goes on by itself', async () => {
  const { pathname } = new URL((await call('GET', '/v1/users/1/report?month=2025-11')).body.url);
  const whileGone = async () => {
    for (const [method, path, body, code = 'database_unavailable'] of [
      ['GET', '/v1/segments'],
      ['POST', '/v1/segments', { slug: 'B' }],
      ['GET', '/v1/users/1/segments', undefined, 'stale_read_refused'],
      ['PATCH', '/v1/users/1/segments', { add: [slug] }],
      ['GET', '/v1/users/1/history?month=2025-11'],
      ['GET', pathname],
    ] as const) {
      const answer = await call(method, path, body);
      assert.deepEqual([answer.status, answer.body.code, answer.headers['retry-after']], [503, code, '2'], path);
      assert.doesNotMatch(answer.text, new RegExp(`${name}|does not exist|postgres|\\.[cm]?[jt]s:\\d+`));
    }
    assert.equal((await call('GET', '/metrics')).status, 200, 'a key in memory goes on being known');
    const stranger = await as(null)('GET', '/metrics', undefined, { authorization: `Bearer ${newKey()}` });
    assert.equal(stranger.body.code, 'database_unavailable', 'whether any other key is known cannot be said');
    assert.equal((await as(null)('GET', '/v1/segments')).status, 401);
    assert.equal((await as(null)('GET', '/healthz')).status, 200);
    const { status, body } = await as(null)('GET', '/readyz');
    assert.deepEqual([status, body], [503, { ready: false, not_ready: ['the database does not answer'] }]);
  };
  await asAdmin(async (admin) => {
    await cutOff(admin);
    await admin.query(`alter database ${name} rename to ${name}_gone`);
    try {
      await whileGone();
    } finally {
      await admin.query(`alter database ${name}_gone rename to ${name}`);
      await admin.query(`alter database ${name} allow_connections true`);
    }
  });
  assert.equal((await call('PATCH', '/v1/users/1/segments', { add: [slug] })).status, 200);
  assert.equal((await as(null)('GET', '/readyz')).status, 200);
});

for (const [setting, reason] of [
  ['default_transaction_read_only = on', 'the database is a standby or read-only'],
  ['synchronous_commit = off', 'synchronous_commit of the database is off: a crash could lose what was acknowledged'],
] as const) {
  test(`the service is not ready on a database with ${setting}`, async () => {
    const whileSo = async () => {
      const { status, body } = await as(null)('GET', '/readyz');
      assert.deepEqual([status, body], [503, { ready: false, not_ready: [reason] }]);
      if (!setting.includes('read_only')) return;
      assert.equal((await call('GET', '/v1/users/1/segments')).status, 200);
      assert.equal((await call('PATCH', '/v1/users/1/segments', { remove: [slug] })).body.code, 'database_unavailable');
    };
    await asAdmin(async (admin) => {
      await admin.query(`alter database ${name} set ${setting}`);
      await cutOff(admin);
      await admin.query(`alter database ${name} allow_connections true`);
      try {
        await whileSo();
      } finally {
        await admin.query(`alter database ${name} reset all`);
      }
      await cutOff(admin);
      await admin.query(`alter database ${name} allow_connections true`);
    });
    assert.equal((await as(null)('GET', '/readyz')).status, 200);
  });
}

test('a moment that a write may still land in is refused after a second, and what is current is not kept waiting', async () => {
  const writer = new pg.Client(database.connection);
  await writer.connect();
  await writer.query('begin; lock table gate in row share mode');
  try {
    const { as_of } = (await call('PATCH', '/v1/users/2/segments', { add: [slug] })).body;
    assert.deepEqual((await call('GET', '/v1/users/2/segments?last_revision=true')).body.segments, [slug]);
    const paths = [
      `segments?at=${as_of}`,
      `segments/${slug}?at=${as_of}`,
      `history?from=2025-01-01T00:00:00Z&to=2999-01-01T00:00:00Z`,
    ];
    for (const answer of await Promise.all(paths.map((path) => call('GET', `/v1/users/2/${path}`)))) {
      assert.deepEqual([answer.status, answer.body.code, answer.headers['retry-after']], [503, 'moment_not_settled', '1']);
    }
  } finally {
    await writer.end();
  }
});

test('a database whose clock is behind its own history takes no change, and says so', async () => {
  const { rows } = await database.pool.query<{ settled: number; revision: number }>(
    'select s.last_value as settled, d.revision from settled s, definitions d',
  );
  const ahead = `(extract(epoch from clock_timestamp()) * 1000000)::bigint + 3600000000`;
  for (const [setAhead, setBack] of [
    [`select setval('settled', ${ahead})`, `select setval('settled', ${rows[0]!.settled})`],
    [`update definitions set revision = ${ahead}`, `update definitions set revision = ${rows[0]!.revision}`],
  ] as const) {
    await database.pool.query(setAhead);
    for (const [method, path, body] of [
      ['PATCH', '/v1/users/1/segments', { remove: [slug] }],
      ['DELETE', `/v1/segments/${slug}`],
    ] as const) {
      const answer = await call(method, path, body);
      assert.deepEqual([answer.status, answer.body.code, answer.headers['retry-after']], [503, 'clock_behind', '5'], setAhead);
    }
    await database.pool.query(setBack);
  }
  assert.deepEqual((await call('GET', '/v1/users/1/segments')).body.segments, [slug]);
});

test('a failure on our side is masked for the caller and logged whole under its request id', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
  const app = await buildApp({
    database: openAgain(database),
    reading: { cache: 'off', maxStalenessSeconds: 300 },
    links,
    logger,
  });
  await database.pool.query('alter table memberships rename to elsewhere');
  const answer = await app.inject({ url: '/v1/users/1/segments', headers: { authorization: `Bearer ${keys.read}` } });
  await database.pool.query('alter table elsewhere rename to memberships');
  const { request_id, ...problem } = answer.json();
  assert.deepEqual([answer.statusCode, answer.headers['content-type']], [500, 'application/problem+json']);
  assert.deepEqual(problem, {
    type: '/problems/internal_error',
    title: 'Something failed on our side',
    status: 500,
    detail: 'The failure is logged under this request id.',
    code: 'internal_error',
  });
  assert.equal(answer.headers['x-request-id'], request_id);
  const line = lines.find((text) => text.includes(request_id));
  assert.match(line!, /relation \\"memberships\\" does not exist/);
  assert.match(line!, /facts\.store\.ts/);
  await app.close();
});
