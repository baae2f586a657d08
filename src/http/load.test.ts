import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { setImmediate as nextTick } from 'node:timers/promises';
import { type Answer, startApp } from '../../test/support/app.ts';
import { cloneDatabase } from '../../test/support/database.ts';
import { holdUp } from '../../test/support/locks.ts';
import { until } from '../../test/support/service.ts';

/** On a busy machine a test may take longer than a wait for the database otherwise may. */
const patientDatabase = () => cloneDatabase({ limits: { statementMs: 60_000, lockMs: 60_000, idleInTransactionMs: 60_000 } });

const figure = ({ text }: Answer, name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)![1]);
const isRefused = ({ status, body, headers }: Answer) => {
  assert.deepEqual([status, body.code, headers['retry-after']], [503, 'overloaded', '2']);
  assert.match(body.detail, /Nothing was changed; ask again\.$/);
};

test('above the number of requests that it works on at a time the process refuses at once, and goes on by itself', async (t) => {
  const { as, call, database } = await startApp({ database: await patientDatabase(), load: { maxRequests: 2 } });
  await call('POST', '/v1/segments', { slug: 'A' });
  const { waiting, release } = await holdUp(t, database, 'memberships');
  const exact = '/v1/users/1/segments?last_revision=true';
  const first = [call('GET', exact), call('PATCH', '/v1/users/2/segments', { add: ['A'] })];
  await until(async () => (await waiting()) > 0, 'the first ones to wait for the database');

  for (const [method, path, body] of [
    ['GET', exact],
    ['PATCH', '/v1/users/1/segments', { add: ['A'] }],
    ['GET', '/v1/segments'],
    ['GET', '/openapi.json'],
  ] as const)
    isRefused(await call(method, path, body));
  assert.equal((await as(null)('GET', exact)).status, 401, 'who is not let in is told that');
  assert.equal((await as('read')('PATCH', '/v1/users/1/segments', { add: ['A'] })).status, 403);

  assert.equal((await as(null)('GET', '/healthz')).status, 200);
  const ready = await as(null)('GET', '/readyz');
  const reason = 'this process refuses requests: it has too much to do';
  assert.deepEqual([ready.status, ready.body], [503, { ready: false, not_ready: [reason] }]);
  const figures = await call('GET', '/metrics');
  assert.equal(figure(figures, 'segmentd_requests_under_way'), 2);
  assert.equal(figure(figures, 'segmentd_refused_requests_total'), 4);

  await release();
  assert.deepEqual(
    (await Promise.all(first)).map(({ status }) => status),
    [200, 200],
  );
  assert.equal((await call('GET', exact)).body.segments, null, 'what was refused changed nothing');
  assert.equal((await as(null)('GET', '/readyz')).status, 200);
  assert.equal(figure(await call('GET', '/metrics'), 'segmentd_requests_under_way'), 0);
});

test('what memory holds is answered still, what has to be waited for is not', async (t) => {
  const database = await patientDatabase();
  const { app, call, keys } = await startApp({ database, load: { maxRequests: 1 }, reading: { cache: 'snapshot' } });
  await call('POST', '/v1/segments', { slug: 'A' });
  await call('PATCH', '/v1/users/1/segments', { add: ['A'] });
  await app.listen({ port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const get = async (path: string) => {
    const sent = request({ port, path, headers: { authorization: `Bearer ${keys.read}` } });
    const [answer] = await once(sent.end(), 'response');
    let text = '';
    for await (const part of answer.setEncoding('utf8')) text += part;
    return { status: answer.statusCode as number, text, headers: answer.headers, body: JSON.parse(text) };
  };
  const isLoaded = async () => /^segmentd_snapshot_users 1$/m.test((await call('GET', '/metrics')).text);
  await until(isLoaded, 'memory to be loaded');
  await get('/v1/users/1/segments'); // only a key that came before is let in past the framework

  const { waiting, release } = await holdUp(t, database, 'memberships');
  const first = get('/v1/users/1/segments?last_revision=true');
  await until(async () => (await waiting()) > 0, 'the first one to wait for the database');
  assert.deepEqual((await get('/v1/users/1/segments')).body.segments, ['A']);
  isRefused(await get('/v1/users/2/segments?last_revision=true'));
  assert.equal(await waiting(), 1, 'the database was not asked for it');
  await release();
  assert.equal((await first).status, 200);
  assert.equal((await get('/v1/users/2/segments?last_revision=true')).status, 200);
});

test('who breaks off a body, or goes away before the answer, keeps nobody else out', async (t) => {
  const { app, call, database, keys } = await startApp({ database: await patientDatabase(), load: { maxRequests: 1 } });
  await call('POST', '/v1/segments', { slug: 'A' });
  await app.listen({ port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const underWay = async () => figure(await call('GET', '/metrics'), 'segmentd_requests_under_way');
  const head = (length: number) =>
    `PATCH /v1/users/1/segments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys.write}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

  const half = connect(port).on('error', () => {});
  half.write(`${head(15)}{"add"`);
  await until(async () => (await underWay()) === 1, 'the half request to be seen');
  half.destroy();
  await until(async () => (await underWay()) === 0, 'it to be forgotten');

  const { waiting, release } = await holdUp(t, database, 'memberships');
  const gone = connect(port).on('error', () => {});
  gone.write(`${head(13)}{"add":["A"]}`);
  await until(async () => (await waiting()) > 0, 'the request to wait for the database');
  gone.destroy();
  isRefused(await call('GET', '/v1/segments')); // the work goes on, so it counts
  await release();
  await until(async () => (await underWay()) === 0, 'it to be forgotten');
  assert.equal((await call('GET', '/v1/segments')).status, 200);
});

test('while the event loop is behind all but health checks and figures is refused, then it goes on by itself', async () => {
  const { as, call } = await startApp({ load: { maxDelayMs: 30, sampleMs: 60 } });
  const late = async () => {
    for (const end = performance.now() + 150; performance.now() < end;) {
      for (const pause = performance.now() + 50; performance.now() < pause;);
      await nextTick();
    }
  };
  let answer = await call('GET', '/v1/segments');
  for (let tries = 0; answer.status === 200 && tries < 20; tries++) {
    await late();
    answer = await call('GET', '/v1/segments');
  }
  isRefused(answer);
  assert.match(answer.body.detail, /more than 30 ms behind/);
  assert.equal((await as(null)('GET', '/healthz')).status, 200);
  assert.equal((await as(null)('GET', '/readyz')).status, 503);
  await until(async () => (await call('GET', '/v1/segments')).status === 200, 'the process to have caught up');
});
