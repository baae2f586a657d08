import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, request } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { isFollowing } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { newKey } from '../access/key.ts';

/** A listening app, and who asks it from an address of this machine. */
async function listening(limits: NonNullable<Parameters<typeof startApp>[0]>['limits']) {
  const started = await startApp({ limits: limits!, reading: { cache: 'snapshot' } });
  await started.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = started.app.server.address() as AddressInfo;
  await until(() => isFollowing(started.database), 'the keys to be in memory');
  const ask = async (
    key: string | null,
    path: string = plain,
    { from = '127.0.0.1', method = 'GET', headers = {}, body = '' } = {},
  ) => {
    const agent = new Agent({ keepAlive: false });
    const sent = request({
      host: '127.0.0.1',
      port,
      localAddress: from,
      path,
      method,
      agent,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === '' ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    });
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const text = (await answer.toArray()).join('');
    const { code, detail } = (/json/.test(answer.headers['content-type'] ?? '') ? JSON.parse(text) : {}) as Record<
      string,
      string
    >;
    return { status: answer.statusCode!, code, detail, retryAfter: Number(answer.headers['retry-after']) };
  };
  return { ...started, ask };
}

/** The read that the fast path answers, once the key is known to come from there. */
const plain = '/v1/users/1/segments';
const ofFramework = '/v1/users/1/segments?';

type Started = Awaited<ReturnType<typeof listening>>;

/** Holds back every look-up of a key until so many requests have come. */
function holdLookUps(app: Started['app'], { pool }: Started['database'], requests: number) {
  let arrived = 0;
  app.server.prependListener('request', () => arrived++);
  const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>;
  Object.assign(pool, {
    query: async (...args: unknown[]) => {
      if ((args[0] as { name?: string }).name === 'keys.find') await until(() => arrived >= requests, 'all to come');
      return query(...args);
    },
  });
}

const several = async <T>(times: number, ask: () => Promise<T>): Promise<T[]> => {
  const answers: T[] = [];
  for (let i = 0; i < times; i++) answers.push(await ask());
  return answers;
};
const statuses = (answers: { status: number }[]) => answers.map(({ status }) => status);

test('too many unknown keys from an address: 429 with Retry-After, for a right key too, and for that address alone', async () => {
  const { ask, keys } = await listening({ failedKeysPerMinute: 5 });
  assert.deepEqual(statuses(await several(5, () => ask(newKey()))), [401, 401, 401, 401, 401]);
  for (const [key, path] of [
    [newKey(), plain],
    [keys.read, plain],
    [keys.admin, ofFramework],
    [keys.read, '/nowhere'],
    [keys.read, '/v1/users/%zz/segments'],
  ] as const) {
    const { status, code, detail, retryAfter } = await ask(key, path);
    assert.deepEqual([status, code], [429, 'rate_limited'], path);
    assert.equal(detail, 'Too many keys from 127.0.0.1 were not known.');
    assert.ok(retryAfter >= 1 && retryAfter <= 12, `${retryAfter}`);
  }
  assert.equal((await ask(keys.read, plain, { from: '127.0.0.2' })).status, 200);
  assert.equal((await ask(newKey(), plain, { from: '127.0.0.2' })).status, 401);
});

test('who was let in from there before goes on with that key, on both paths, and not with another', async () => {
  const { ask, keys } = await listening({ failedKeysPerMinute: 5 });
  assert.equal((await ask(keys.read)).status, 200);
  await several(6, () => ask(newKey()));
  assert.deepEqual(statuses([await ask(keys.read), await ask(keys.read, ofFramework)]), [200, 200]);
  assert.equal((await ask(keys.write)).status, 429);
});

test('what needs no key, and who sends none, is not throttled', async () => {
  const { ask } = await listening({ failedKeysPerMinute: 2 });
  await several(3, () => ask(newKey()));
  for (const path of ['/healthz', '/readyz', '/openapi.json']) assert.equal((await ask(newKey(), path)).status, 200);
  assert.deepEqual(statuses(await several(5, () => ask(null))), [401, 401, 401, 401, 401]);
});

test('guesses sent at once are counted at once, and cost the database no more than is allowed', async () => {
  const { ask, database } = await listening({ failedKeysPerMinute: 5 });
  const { pool } = database;
  const query = pool.query.bind(pool) as (...args: unknown[]) => unknown;
  const asked: unknown[] = [];
  Object.assign(pool, {
    query: (...args: unknown[]) => {
      const { name, values } = args[0] as { name?: string; values?: [Buffer[]] };
      if (name === 'keys.find') asked.push(...values![0]);
      return query(...args);
    },
  });
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(newKey())));
  assert.deepEqual(statuses(answers).toSorted(), [...Array(5).fill(401), ...Array(45).fill(429)]);
  assert.equal(asked.length, 5);
});

test('a right key is let in as often as it comes at once, also before memory knows it', async () => {
  const { ask, as, app, database } = await listening({ failedKeysPerMinute: 2 });
  const { body } = await as('admin')('POST', '/v1/keys', { name: 'new', scope: 'read' });
  holdLookUps(app, database, 30);
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask(body.key as string)));
  assert.deepEqual(statuses(answers), Array(30).fill(200));
});

test('more right keys than may be wrong, at once in a process that knows none: all are let in, and a wrong one counts', async () => {
  const { ask, as, app, database } = await listening({ failedKeysPerMinute: 5 });
  const names = Array.from({ length: 24 }, (_, i) => `many-${i}`);
  const made = await Promise.all(names.map((name) => as('admin')('POST', '/v1/keys', { name, scope: 'read' })));
  const keys = made.map(({ body }) => body.key as string);
  holdLookUps(app, database, 25);
  const [wrong, ...right] = await Promise.all([newKey(), ...keys].map((key) => ask(key)));
  assert.deepEqual(statuses(right), Array(24).fill(200));
  assert.equal(wrong!.status, 401);
  assert.deepEqual(statuses(await several(5, () => ask(newKey()))), [401, 401, 401, 401, 429]);
});

test('who waits for others to be looked up is told with them that the database does not answer', async () => {
  const { ask, database } = await listening({ failedKeysPerMinute: 2 });
  const { pool } = database;
  const { query } = pool;
  Object.assign(pool, { query: async () => Promise.reject(Object.assign(new Error('down'), { code: 'ECONNREFUSED' })) });
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(newKey())));
  assert.deepEqual(statuses(answers), Array(10).fill(503));
  Object.assign(pool, { query });
});

test('right keys are no failures, however many, nor is a database that does not answer', async () => {
  const { ask, keys, database } = await listening({ failedKeysPerMinute: 2 });
  for (const key of [keys.read, keys.write, keys.admin, keys.evaluate]) await several(3, () => ask(key, '/v1/key'));
  const { pool } = database;
  const { query } = pool;
  Object.assign(pool, { query: async () => Promise.reject(Object.assign(new Error('down'), { code: 'ECONNREFUSED' })) });
  assert.deepEqual(statuses(await several(4, () => ask(newKey()))), [503, 503, 503, 503]);
  Object.assign(pool, { query });
  assert.equal((await ask(newKey())).status, 401);
});

test('a key that was revoked counts as unknown, although it came from there before', async () => {
  const { ask, keys } = await listening({ failedKeysPerMinute: 3 });
  assert.equal((await ask(keys.read)).status, 200);
  assert.equal((await ask(keys.admin, '/v1/keys/reader', { method: 'DELETE' })).status, 204);
  assert.deepEqual(statuses(await several(5, () => ask(keys.read))), [401, 401, 401, 429, 429]);
});

test('X-Forwarded-For of nobody who is trusted changes nothing', async () => {
  const { ask } = await listening({ failedKeysPerMinute: 3 });
  let i = 0;
  const answers = await several(5, () => ask(newKey(), plain, { headers: { 'x-forwarded-for': `192.0.2.${i++}` } }));
  assert.deepEqual(statuses(answers), [401, 401, 401, 429, 429]);
});

test('without limits nothing is throttled', async () => {
  const { ask, keys } = await listening({});
  assert.ok(statuses(await several(50, () => ask(newKey()))).every((status) => status === 401));
  assert.ok(statuses(await several(50, () => ask(keys.read))).every((status) => status === 200));
});

for (const [what, path] of [
  ['the fast path', plain],
  ['the framework', ofFramework],
] as const) {
  test(`a key may read as often as is configured, by ${what}: then 429 with Retry-After, for that key alone`, async () => {
    const { ask, keys } = await listening({ readsPerSecond: 20 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(keys.read, path)));
    const letIn = answers.filter(({ status }) => status === 200).length;
    const refused = answers.filter(({ status }) => status === 429);
    // What is earned while they are asked comes on top.
    assert.ok(letIn >= 20 && letIn + refused.length === 100 && refused.length > 0, `${letIn} of 100`);
    for (const { code, detail, retryAfter } of refused)
      assert.deepEqual([code, detail, retryAfter], ['rate_limited', 'The key reader may do 20 reads a second.', 1]);
    assert.equal((await ask(keys.write, path)).status, 200);
    await until(async () => (await ask(keys.read, path)).status === 200, 'a read to be earned');
  });
}

test('one read is counted once, whichever path answers it in the end, and all paths count together', async () => {
  const { ask, keys } = await listening({ readsPerSecond: 100 });
  const paths = [plain, ofFramework, '/v1/users/%31/segments', '/v1/users/1/segments?last_revision=yes', '/nowhere'];
  await ask(keys.read);
  await Promise.all(Array.from({ length: 200 }, () => ask(keys.read)));
  await until(async () => (await ask(keys.read)).status === 200, 'one to be earned');
  const begunAt = performance.now();
  let i = 0;
  const answers = await several(300, () => ask(keys.read, paths[i++ % paths.length]));
  const letIn = answers.filter(({ status }) => status !== 429).length;
  const earned = Math.min(100 + (performance.now() - begunAt) / 10, 300);
  assert.ok(letIn <= earned + 1, `${letIn} of ${earned}`);
});

test('what the fast path hands on is not counted twice', async () => {
  const { ask, keys } = await listening({ readsPerSecond: 200 });
  await ask(keys.read);
  const answers = await several(199, () => ask(keys.read, '/v1/users/%31/segments'));
  assert.ok(statuses(answers).every((status) => status === 200));
});

test('writes have a limit of their own, judged before the scope', async () => {
  const { ask, keys } = await listening({ writesPerSecond: 2 });
  const write = (key: string) => ask(key, '/v1/segments', { method: 'POST', body: '{"slug": "A"}' });
  const answers = await Promise.all(Array.from({ length: 10 }, () => write(keys.read)));
  assert.ok(statuses(answers).every((status) => status === 403 || status === 429));
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length > 0 && refused.every(({ detail }) => detail === 'The key reader may do 2 writes a second.'));
  assert.ok(statuses(await several(20, () => ask(keys.read))).every((status) => status === 200));
  assert.equal((await write(keys.write)).status, 201);
});
