import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { isFollowing } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';

let byFramework = 0;
subscribe('tracing:fastify.request.handler:start', () => byFramework++);

const origin = 'https://shop.example.org';
const path = '/v1/users/1/segments';

interface Asked {
  method?: string;
  to?: string;
  key?: string | null;
}

async function listening(corsOrigins: readonly string[]) {
  const { app, keys, database } = await startApp({ corsOrigins, reading: { cache: 'snapshot' } });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  assert.ok((app.server.address() as AddressInfo).port > 0);
  await until(() => isFollowing(database), 'the keys to be in memory');
  const ask = async (headers: Record<string, string>, { method = 'GET', to = path, key = keys.read }: Asked = {}) => {
    const before = byFramework;
    const answer = await fetch(url + to, { method, headers: { ...headers, ...(key && { authorization: `Bearer ${key}` }) } });
    await answer.arrayBuffer();
    const cors = Object.fromEntries([...answer.headers].filter(([name]) => /^(access-control|vary)/.test(name)));
    return { status: answer.status, cors, isByFramework: byFramework > before };
  };
  await ask({});
  return { ask };
}

const preflight = { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization' };

describe('where an origin is configured', async () => {
  const { ask } = await listening(['https://other.example.org', origin]);

  test('its pages may read an answer, whichever path they ask for, and a refusal', async () => {
    for (const [to, key, status] of [
      [path, undefined, 200],
      ['/v1/segments', undefined, 200],
      [path, null, 401],
      ['/nowhere', undefined, 404],
      ['/healthz', null, 200],
    ] as const) {
      const answer = await ask({ origin }, { to, ...(key === undefined ? {} : { key }) });
      assert.equal(answer.status, status);
      assert.deepEqual(Object.keys(answer.cors), ['access-control-allow-origin', 'access-control-expose-headers', 'vary']);
      assert.equal(answer.cors['access-control-allow-origin'], origin);
      for (const name of ['Revision', 'ETag'])
        assert.match(answer.cors['access-control-expose-headers']!, new RegExp(`\\b${name}\\b`));
      assert.equal(answer.cors.vary, 'Origin');
    }
  });

  test('its preflight is answered without a key', async () => {
    for (const to of [path, '/v1/keys', '/ofrep/v1/evaluate/flags', '/nowhere']) {
      const { status, cors } = await ask(preflight, { method: 'OPTIONS', to, key: null });
      assert.equal(status, 204);
      assert.equal(cors['access-control-allow-origin'], origin);
      assert.match(cors['access-control-allow-methods']!, /PATCH/);
      for (const name of ['Authorization', 'X-API-Key', 'If-None-Match'])
        assert.match(cors['access-control-allow-headers']!, new RegExp(`\\b${name}\\b`));
      assert.equal(cors['access-control-allow-credentials'], undefined);
    }
  });

  test('no other origin is let in, however alike', async () => {
    for (const other of [
      'https://example.org',
      `${origin}.evil.org`,
      'http://shop.example.org',
      `${origin}:8443`,
      'null',
      '*',
      '',
    ]) {
      assert.deepEqual((await ask({ origin: other })).cors, { vary: 'Origin' }, other);
      const { status, cors } = await ask({ ...preflight, origin: other }, { method: 'OPTIONS', key: null });
      assert.deepEqual([status, cors], [401, { vary: 'Origin' }], other);
    }
  });

  test('OPTIONS that is no preflight is a method like any other', async () => {
    assert.equal((await ask({ origin }, { method: 'OPTIONS', key: null })).status, 401);
    assert.equal((await ask({ origin }, { method: 'OPTIONS' })).status, 405);
  });

  test('who sends no origin is answered by the fast path, with the same header', async () => {
    const { cors, isByFramework } = await ask({});
    assert.deepEqual([cors, isByFramework], [{ vary: 'Origin' }, false]);
  });
});

test('where none is configured, no header says a word of it', async () => {
  const { ask } = await listening([]);
  assert.deepEqual((await ask({ origin })).cors, {});
  assert.deepEqual((await ask({ origin }, { to: '/v1/segments' })).cors, {});
  const { status, cors } = await ask(preflight, { method: 'OPTIONS', key: null });
  assert.deepEqual([status, cors], [401, {}]);
});
