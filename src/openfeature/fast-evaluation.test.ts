import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, describe, test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { isFollowing } from '../../test/support/database.ts';
import { findRedis } from '../../test/support/redis.ts';
import { until } from '../../test/support/service.ts';
import type { ReadingOptions } from '../app.ts';

let byFramework = 0;
subscribe('tracing:fastify.request.handler:start', () => byFramework++);

const path = '/ofrep/v1/evaluate/flags/A';
const question = (targetingKey: string) => JSON.stringify({ context: { targetingKey, plan: 'é' } });

interface Asked {
  to?: string;
  key?: Record<string, string>;
}

async function listening(options: Parameters<typeof startApp>[0]) {
  const started = await startApp(options);
  await started.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = started.app.server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 }); // one connection for all
  after(() => agent.destroy());
  const { evaluate } = started.keys;

  const send = async (
    body: string,
    headers: Record<string, string> = {},
    { to = path, key = { 'x-api-key': evaluate } }: Asked = {},
  ) => {
    const before = byFramework;
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request({
      port,
      path: to,
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json', ...length, ...key, ...headers },
    });
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const text = (await answer.toArray()).join('');
    const { 'x-request-id': id, date, age, ...rest } = answer.headers;
    assert.ok(id !== undefined && date !== undefined);
    return { status: answer.statusCode!, headers: rest, age, text, isByFramework: byFramework > before };
  };
  await until(() => isFollowing(started.database), 'the keys to be in memory');
  for (const slug of ['A', 'B']) await started.call('POST', '/v1/segments', { slug });
  await started.call('PATCH', '/v1/users/1/segments', { add: ['A'], ttl_seconds: 3600 });
  await send(question('1'), {}, { key: { authorization: `Bearer ${evaluate}` } });
  await send(question('1')); // from now on both headers are known
  return { ...started, send, port };
}

const redis = await findRedis();
for (const { reading, skip } of [
  { reading: { cache: 'snapshot' }, skip: false },
  { reading: { cache: 'off' }, skip: false },
  { reading: { cache: 'redis', redisUrl: redis.url }, skip: redis.skip },
] as { reading: Partial<ReadingOptions>; skip: string | false }[]) {
  describe(`with CACHE=${reading.cache}`, { skip }, async () => {
    const { send, keys } = await listening({ reading });

    test('a question is answered by the fast path as by the framework, on one connection', async () => {
      for (const user of ['1', 'nobody', 'a.b@example.org', 'f0'.repeat(64)]) {
        for (const key of [{ 'x-api-key': keys.evaluate }, { authorization: `Bearer ${keys.evaluate}` }] as Record<
          string,
          string
        >[]) {
          const fast = await send(question(user), {}, { key });
          const slow = await send(question(user), {}, { key, to: `${path}?x` });
          assert.deepEqual([fast.isByFramework, slow.isByFramework], [false, true]);
          const { age: fastAge, isByFramework: _fast, ...told } = fast;
          const { age: slowAge, isByFramework: _slow, ...expected } = slow;
          assert.deepEqual(told, expected);
          assert.ok(Number(fastAge) < 5 && Number(slowAge) < 5);
        }
      }
    });
  });
}

describe('what is out of the ordinary', async () => {
  const { send, call, keys, database, port } = await listening({ reading: { cache: 'snapshot' } });

  test('is left to the framework, with its body, and answered there', async () => {
    const long = JSON.stringify({ context: { targetingKey: '1', x: 'x'.repeat(20_000) } });
    for (const [what, body, headers, status] of [
      ['a long body', long, {}, 200],
      ['no JSON', '{', {}, 400],
      ['a field twice', '{"context":{"targetingKey":"1"},"context":{"targetingKey":"1"}}', {}, 400],
      ['no user', '{"context":{}}', {}, 400],
      ['another charset', question('1'), { 'content-type': 'application/json; charset=latin1' }, 200],
      ['another type', question('1'), { 'content-type': 'text/plain' }, 415],
    ] as [string, string, Record<string, string>, number][]) {
      const received = await send(body, headers);
      assert.equal(received.status, status, what);
      assert.ok(received.isByFramework || received.status >= 400, what);
    }
    const missing = await send(question('1'), {}, { to: '/ofrep/v1/evaluate/flags/NO_SUCH' });
    assert.deepEqual([missing.status, missing.isByFramework, JSON.parse(missing.text).errorCode], [404, true, 'FLAG_NOT_FOUND']);
    assert.equal((await send(question('1'))).isByFramework, false);
  });

  test('a head that comes without its body waits for it', async () => {
    const socket = connect(port, '127.0.0.1');
    after(() => socket.destroy());
    const body = question('1');
    const head = [`POST ${path} HTTP/1.1`, 'Host: x', `X-API-Key: ${keys.evaluate}`, 'Content-Type: application/json'];
    const whole = `${[...head, `Content-Length: ${Buffer.byteLength(body)}`].join('\r\n')}\r\n\r\n`;
    let heard = '';
    socket.setEncoding('utf8').on('data', (piece: string) => (heard += piece));
    const before = byFramework;
    socket.write(whole);
    await until(() => socket.bytesWritten === Buffer.byteLength(whole), 'the head to be sent');
    socket.write(body);
    await until(() => heard.includes('"key":"A"'), 'the answer');
    // And several at once, each whole, are answered in their order.
    heard = '';
    socket.write(`${whole}${body}`.repeat(3));
    await until(() => heard.split('"key":"A"').length === 4, 'three answers');
    assert.ok(byFramework - before <= 1);
  });

  test('a flag of which the database is asked in vain is answered by the framework', async () => {
    const { send: ask } = await listening({ reading: { cache: 'off' } });
    const missing = await ask(question('1'), {}, { to: '/ofrep/v1/evaluate/flags/NO_SUCH' });
    assert.deepEqual([missing.status, JSON.parse(missing.text).errorCode], [404, 'FLAG_NOT_FOUND']);
    assert.equal((await ask(question('1'))).status, 200);
  });

  test('a key that is missing, wrong or revoked is refused', async () => {
    for (const key of [{}, { 'x-api-key': 'wrong' }, { authorization: keys.evaluate }] as Record<string, string>[])
      assert.equal((await send(question('1'), {}, { key })).status, 401);
    await database.pool.query(`update api_keys set revoked_at = now() where name = 'browser'`);
    await until(async () => (await send(question('1'))).status === 401, 'the revoked key to be refused');
    assert.equal((await call('GET', '/v1/key')).status, 200);
  });
});
