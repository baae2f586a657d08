import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import type { ReadingOptions } from '../app.ts';
import { startApp } from '../../test/support/app.ts';
import { isFollowing } from '../../test/support/database.ts';
import { findRedis } from '../../test/support/redis.ts';
import { until } from '../../test/support/service.ts';

let byFramework = 0;
subscribe('tracing:fastify.request.handler:start', () => byFramework++);

interface Received {
  status: number;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
  /** Whether the framework had it in hand. */
  isByFramework: boolean;
}

async function listening(options: Parameters<typeof startApp>[0]) {
  const started = await startApp(options);
  await started.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = started.app.server.address() as AddressInfo;
  const send = async (path: string, key: string | null = started.keys.read, how: { method?: string; body?: string } = {}) => {
    const before = byFramework;
    const headers = {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(how.body === undefined ? {} : { 'content-length': how.body.length }),
    };
    const sent = request({ host: '127.0.0.1', port, path, method: how.method ?? 'GET', headers });
    sent.end(how.body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const text = (await answer.toArray()).join('');
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    const received: Received = { status: answer.statusCode!, headers: answer.headers, body, isByFramework: byFramework > before };
    return received;
  };
  await until(() => isFollowing(started.database), 'the keys to be in memory');
  await send('/v1/users/1/segments?'); // from now on the key is known by its header
  return { ...started, send };
}

/** What does not differ between two answers to the same question. */
const comparable = ({ status, headers, body }: Received) => {
  const { 'x-request-id': id, date, age, ...rest } = headers;
  assert.match(String(id), /^[0-9a-f-]{36}$/);
  assert.ok(date !== undefined && Number(age) < 5);
  const { as_of, revision, ...told } = body;
  assert.ok(typeof as_of === 'string' && typeof revision === 'string');
  return { status, headers: rest, keys: Object.keys(body), told };
};

const redis = await findRedis();
for (const { reading, skip } of [
  { reading: { cache: 'snapshot' }, skip: false },
  { reading: { cache: 'off' }, skip: false },
  { reading: { cache: 'redis', redisUrl: redis.url }, skip: redis.skip },
] as { reading: Partial<ReadingOptions>; skip: string | false }[]) {
  describe(`with CACHE=${reading.cache}`, { skip }, async () => {
    const { send, call } = await listening({ reading });
    for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
    await call('POST', '/v1/segments', { slug: 'HALF', percent: 50 });
    const ids = ['1', 'b2', 'a.b@example.org', 'a+b', 'x:y~z_-', 'f0'.repeat(64)];
    for (const id of ids.slice(1)) await call('PATCH', `/v1/users/${id}/segments`, { add: ['A', 'B'] });

    for (const exact of [false, true]) {
      test(`a ${exact ? 'last_revision' : 'plain'} read is answered by the fast path as by the framework`, async () => {
        for (const id of ids) {
          const path = `/v1/users/${id}/segments`;
          const [fast, slow] = [
            await send(path + (exact ? '?last_revision=true' : '')),
            await send(`${path}?last_revision=${exact}`),
          ];
          if (exact) Object.assign(slow, await send(`${path}?&last_revision=true`));
          assert.deepEqual([fast.isByFramework, slow.isByFramework], [false, true]);
          assert.deepEqual(comparable(fast), comparable(slow));
        }
      });
    }
  });
}

describe('what is out of the ordinary', async () => {
  const { send, call, keys, database } = await listening({ reading: { cache: 'snapshot' } });
  const path = '/v1/users/1/segments';

  test('is left to the framework, and answered there', async () => {
    for (const [url, how, status] of [
      [path, { method: 'HEAD' }, 200],
      [path, { method: 'DELETE' }, 405],
      [path, { body: '{}' }, 200],
      ['/v1/users/%31/segments', {}, 200],
      ['/v1/users/%2e/segments', {}, 400],
      ['/v1/users/a%00b/segments', {}, 400],
      [`/v1/users/${'x'.repeat(129)}/segments`, {}, 400],
      [`${path}/`, {}, 400],
      [`/${path}`, {}, 404],
      [`${path}?last_revision=yes`, {}, 400],
      [`${path}?last_revision=true&no=1`, {}, 400],
      [`${path}?min_revision=1`, {}, 200],
    ] as const) {
      const received = await send(url, keys.read, how);
      assert.deepEqual([received.status, received.isByFramework || received.status >= 400], [status, true], url);
    }
  });

  test('a key that is missing, wrong or revoked is refused', async () => {
    assert.equal((await send(path)).isByFramework, false);
    for (const key of [null, 'wrong', `${keys.read} `])
      assert.equal((await send(path, key)).status, key?.endsWith(' ') ? 200 : 401);
    await database.pool.query(`update api_keys set revoked_at = now() where name = 'writer'`);
    await send(`${path}?`, keys.write);
    await until(async () => (await send(path, keys.write)).status === 401, 'the revoked key to be refused');
    await database.pool.query(`update api_keys set revoked_at = 'infinity' where name = 'writer'`);
  });

  test('a failure is answered by the framework without another try, counted once, with all its time', async () => {
    const counted = async () => {
      const { body } = await call('GET', '/metrics');
      const one = (what: string) =>
        Number(
          new RegExp(
            `^segmentd_http_request_duration_seconds_${what}\\{method="GET",route="/v1/users/:user_id/segments",status="503"\\} (.*)$`,
            'm',
          ).exec(body as string)?.[1] ?? 0,
        );
      return { count: one('count'), sum: one('sum') };
    };
    const before = await counted();
    const { pool } = database;
    const query = pool.query;
    let asked = 0;
    pool.query = async () => {
      asked++;
      const begunAt = performance.now();
      await until(() => performance.now() > begunAt + 50, 'some time to pass');
      throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
    };
    const failed = await send(`${path}?last_revision=true`);
    assert.deepEqual([failed.status, failed.body.code, failed.headers['retry-after']], [503, 'database_unavailable', '2']);
    assert.equal(asked, 1);
    pool.query = query;
    const after = await counted();
    assert.equal(after.count, before.count + 1);
    assert.ok(after.sum - before.sum > 0.05);
  });
});
