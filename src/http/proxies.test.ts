import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { isFollowing } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { newKey } from '../access/key.ts';

/** A listening app that trusts these proxies; we are 127.0.0.1 or what else of the loopback is given. */
async function behind(trustProxy: readonly string[], publicUrl: string | null = null) {
  const { app, keys, database } = await startApp({
    trustProxy,
    publicUrl,
    reading: { cache: 'snapshot' },
    limits: { failedKeysPerMinute: 2 },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  await until(() => isFollowing(database), 'the keys to be in memory');
  const ask = async (key: string, headers: Record<string, string> = {}, path = '/v1/users/1/segments', from = '127.0.0.1') => {
    const sent = request({
      host: '127.0.0.1',
      port,
      localAddress: from,
      path,
      agent: false,
      headers: { authorization: `Bearer ${key}`, host: 'inside:1', ...headers },
    });
    sent.end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const { url } = JSON.parse((await answer.toArray()).join('')) as { url?: string };
    return { status: answer.statusCode, link: url?.split('/v1/')[0] };
  };
  const link = async (headers: Record<string, string>, from?: string) =>
    (await ask(keys.read, headers, '/v1/users/1/report?month=2025-11', from)).link;
  return { ask, link, keys };
}

const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'segments.example.org' };
const of = (address: string) => ({ 'x-forwarded-for': address });

describe('of a proxy that is trusted', async () => {
  const { ask, link, keys } = await behind(['127.0.0.1', '10.0.0.0/8']);

  test('links have the scheme and host that it forwards', async () => {
    assert.equal(await link(forwarded), 'https://segments.example.org');
    assert.equal(await link({}), 'http://inside:1');
  });

  test('a scheme that is none is not taken over', async () => {
    assert.equal(await link({ ...forwarded, 'x-forwarded-proto': 'javascript' }), 'http://segments.example.org');
  });

  test('addresses that it forwards are throttled each for itself, and those let in go on', async () => {
    assert.equal((await ask(keys.read, of('192.0.2.1'))).status, 200);
    const failed = [];
    for (let i = 0; i < 3; i++) failed.push((await ask(newKey(), of('192.0.2.1'))).status);
    assert.deepEqual(failed, [401, 401, 429]);
    assert.equal((await ask(keys.read, of('192.0.2.1'))).status, 200);
    assert.equal((await ask(keys.write, of('192.0.2.1'))).status, 429);
    assert.equal((await ask(keys.write, of('192.0.2.2'))).status, 200);
    assert.equal((await ask(keys.write)).status, 200);
  });

  test('a key that was let in from one address is not from another that is throttled', async () => {
    assert.equal((await ask(keys.read, of('192.0.2.30'))).status, 200);
    for (let i = 0; i < 3; i++) await ask(newKey(), of('192.0.2.31'));
    assert.equal((await ask(keys.read, of('192.0.2.31'))).status, 429);
    assert.equal((await ask(keys.read, of('192.0.2.30'))).status, 200);
  });

  test('what the client itself wrote before is not believed', async () => {
    const failed = [];
    for (let i = 0; i < 3; i++) failed.push((await ask(newKey(), of(`192.0.2.${i + 10}, 198.51.100.7, 10.1.2.3`))).status);
    assert.deepEqual(failed, [401, 401, 429]);
  });

  test('whoever else comes is not believed', async () => {
    assert.equal(await link(forwarded, '127.0.0.2'), 'http://inside:1');
    const failed = [];
    for (let i = 0; i < 3; i++) failed.push((await ask(newKey(), of(`192.0.2.${i + 20}`), undefined, '127.0.0.3')).status);
    assert.deepEqual(failed, [401, 401, 429]);
  });
});

test('where none is trusted, none is believed', async () => {
  const { link } = await behind([]);
  assert.equal(await link(forwarded), 'http://inside:1');
});

test('PUBLIC_URL outranks what a proxy forwards', async () => {
  const { link } = await behind(['loopback'], 'https://public.example.org');
  assert.equal(await link(forwarded), 'https://public.example.org');
});
