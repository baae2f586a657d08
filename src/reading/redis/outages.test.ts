import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { type Call, startApp } from '../../../test/support/app.ts';
import { countReads, keyIn, keyOwner } from '../../../test/support/reads.ts';
import { connectRedis, noRedisServer as skip, nowhere, type OwnRedis, startRedis } from '../../../test/support/redis.ts';
import { until } from '../../../test/support/service.ts';
import { valuesStore } from './values.store.ts';

// Redis slow, full, flushed, restarted or gone: reads still answer, from the database.

const server: OwnRedis = skip ? undefined! : await startRedis();
const redisUrl = skip ? nowhere : server.url;
const { call, database, another } = await startApp({ reading: { cache: 'redis', redisUrl } });
const elsewhere = await another();
const reads = countReads(database);
const redis = skip ? undefined! : await connectRedis(redisUrl);
const owner = await keyOwner(database);
const key = (userId: string) => keyIn(owner, userId);
for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });

const segmentsOf = async (userId: string, by: Call = call): Promise<string[] | null> => {
  const { status, body, text } = await by('GET', `/v1/users/${userId}/segments`);
  assert.equal(status, 200, text);
  return body.segments;
};
const patch = async (userId: string, change: object, by: Call = call) => {
  const { status, text } = await by('PATCH', `/v1/users/${userId}/segments`, change);
  assert.equal(status, 200, text);
};
/** Redis is used by both processes when a user whom each of them reads anew comes to be there. */
let fresh = 0;
const isUsed = async () => {
  for (const by of [call, elsewhere]) {
    const userId = `fresh-${fresh++}`;
    await until(async () => {
      await segmentsOf(userId, by);
      return redis.isReady && (await redis.exists(key(userId))) === 1;
    }, 'Redis to be used');
  }
};
const timed = async <T>(ask: () => Promise<T>) => {
  const begunAt = performance.now();
  const answer = await ask();
  return { answer, tookMs: performance.now() - begunAt };
};
if (!skip) await isUsed();

test('a Redis that hangs delays nobody for long, and what was changed meanwhile is seen', { skip }, async () => {
  for (const userId of ['hung-1', 'hung-2', 'hung-3']) await patch(userId, { add: ['A'] });
  server.freeze();
  const begunAt = performance.now();
  try {
    assert.deepEqual(await segmentsOf('hung-1'), ['A']);
    await patch('hung-1', { add: ['B'] });
    await patch('hung-2', { add: ['B'] });
    await patch('hung-3', { remove: ['A'] });
    for (const by of [call, elsewhere]) assert.deepEqual(await segmentsOf('hung-1', by), ['A', 'B']);
    assert.ok(performance.now() - begunAt < 2_000, `it took ${performance.now() - begunAt} ms`);
  } finally {
    server.resume();
  }
  // At once: the process that made the change knows that Redis may hold an older value.
  assert.deepEqual(await segmentsOf('hung-2'), ['A', 'B']);
  assert.equal(await segmentsOf('hung-3'), null);
  await until(async () => String(await segmentsOf('hung-2', elsewhere)) === 'A,B', 'Redis to be told what it missed');
  await until(async () => (await segmentsOf('hung-3', elsewhere)) === null, 'Redis to be told what it missed');
  await isUsed();
});

test('the first call that Redis leaves unanswered takes the limit, the next ones nothing', { skip }, async () => {
  const failures: unknown[] = [];
  let recoveries = 0;
  const limitMs = 300;
  const store = valuesStore({
    url: redisUrl,
    limitMs,
    pauseMs: 1_500,
    onFailure: (error) => failures.push(error),
    onRecovery: () => recoveries++,
  });
  after(() => store.close());
  store.open();
  store.name('limits');
  await until(() => store.put('1', '[1,"a"]', 60_000), 'a connection');
  server.freeze();
  try {
    const first = await timed(() => store.find('1'));
    assert.ok(
      first.answer === null && first.tookMs >= limitMs - 5 && first.tookMs < limitMs + 200,
      `the first: ${first.tookMs} ms`,
    );
    for (const ask of [() => store.find('1'), () => store.put('1', '[2,"b"]', 60_000)]) {
      const next = await timed<unknown>(ask);
      assert.ok(!next.answer && next.tookMs < 100, `the next: ${next.tookMs} ms`);
    }
    assert.equal(failures.length, 1, 'it is told once');
  } finally {
    server.resume();
  }
  await until(async () => (await store.find('1')) === '[1,"a"]', 'Redis to be asked again');
  assert.equal(recoveries, 1);
});

test('an answer that came in time counts, though this process was too busy to look', { skip }, async () => {
  const store = valuesStore({ url: redisUrl, onFailure: () => {}, onRecovery: () => {} });
  after(() => store.close());
  store.open();
  store.name('busy');
  await until(() => store.put('1', '[1,"a"]', 60_000), 'a connection');
  const found = store.find('1');
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate); // it is gathered, then written
  for (const begunAt = performance.now(); performance.now() - begunAt < 200;);
  assert.equal(await found, '[1,"a"]');
});

test('a connection that has become a black hole is given up for a new one', { skip }, async () => {
  const sockets: Socket[] = [];
  const port = Number(new URL(redisUrl).port);
  const between = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    const onward = connect(port, '127.0.0.1').on('error', () => {});
    socket.pipe(onward).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(between, 'listening');
  after(() => {
    between.close();
    for (const socket of sockets) socket.destroy();
  });
  const store = valuesStore({
    url: `redis://127.0.0.1:${(between.address() as AddressInfo).port}`,
    limitMs: 30,
    pauseMs: 20,
    silenceMs: 100,
    onFailure: () => {},
    onRecovery: () => {},
  });
  after(() => store.close());
  store.open();
  store.name('hole');
  await until(() => store.put('1', '[1,"a"]', 60_000), 'a connection');
  const connections = sockets.length;
  sockets.at(-1)!.unpipe();
  assert.equal(await store.find('1'), null);
  await until(async () => (await store.find('1')) === '[1,"a"]', 'a connection that works');
  assert.ok(sockets.length > connections);
});

test('a Redis that takes nothing is read, but for what this process knows to be older than a change', { skip }, async () => {
  await patch('refused', { add: ['A'] });
  await patch('other', { add: ['A'] });
  await redis.sendCommand(['ACL', 'SETUSER', 'default', '-evalsha', '-eval']);
  try {
    await patch('refused', { add: ['B'] });
    const before = reads.of('refused');
    assert.deepEqual(await segmentsOf('refused'), ['A', 'B']);
    assert.equal(reads.of('refused'), before + 1);
    assert.deepEqual(await segmentsOf('refused', elsewhere), ['A'], 'there it is honestly dated');
    const others = reads.of('other');
    assert.deepEqual(await segmentsOf('other'), ['A']);
    assert.equal(reads.of('other'), others);
  } finally {
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
  }
  await until(async () => String(await segmentsOf('refused', elsewhere)) === 'A,B', 'Redis to be told what it missed');
});

test('a full Redis holds no value that a change has made old', { skip }, async () => {
  await patch('full', { add: ['A'] });
  await redis.configSet({ maxmemory: '1', 'maxmemory-policy': 'noeviction' });
  try {
    await assert.rejects(redis.set('more', 'bytes'), /OOM/);
    await patch('full', { remove: ['A'], add: ['B'] });
    assert.equal(await redis.exists(key('full')), 0);
    for (const by of [call, elsewhere]) assert.deepEqual(await segmentsOf('full', by), ['B']);
    assert.equal(await segmentsOf('full-new'), null);
  } finally {
    await redis.configSet('maxmemory', '0');
  }
  await until(async () => (await redis.exists(key('full'))) === 1, 'the value to be put once there is room');
  await isUsed();
});

test('a flushed Redis is filled again', { skip }, async () => {
  await patch('flushed', { add: ['A'] });
  await redis.flushAll();
  await redis.scriptFlush();
  assert.deepEqual(await segmentsOf('flushed'), ['A']);
  await until(async () => (await redis.exists(key('flushed'))) === 1, 'the value');
  const before = reads.of('flushed');
  assert.deepEqual(await segmentsOf('flushed'), ['A']);
  assert.equal(reads.of('flushed'), before);
});

test('while Redis is gone reads and changes go on, and when it is back it is used', { skip }, async () => {
  await patch('gone', { add: ['A'] });
  await server.kill();
  for (let round = 0; round < 3; round++) {
    for (const by of [call, elsewhere]) {
      await patch('gone', { add: ['B'] }, by);
      assert.deepEqual(await segmentsOf('gone', by), ['A', 'B']);
      await patch('gone', { remove: ['B'] }, by);
      assert.deepEqual(await segmentsOf('gone', by), ['A']);
    }
  }
  await server.start();
  await isUsed();
  for (const by of [call, elsewhere]) assert.deepEqual(await segmentsOf('gone', by), ['A']);
});

test('a service starts without Redis, and uses it once it is there', { skip }, async () => {
  await server.kill();
  const late = await another();
  await patch('late', { add: ['A'] }, late);
  assert.deepEqual(await segmentsOf('late', late), ['A']);
  await server.start();
  await until(async () => {
    await segmentsOf('late-new', late);
    return redis.isReady && (await redis.exists(key('late-new'))) === 1;
  }, 'Redis to be used');
  assert.deepEqual(await segmentsOf('late', late), ['A']);
});
