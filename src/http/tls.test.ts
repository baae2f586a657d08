import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { selfSigned } from '../../test/support/certificate.ts';
import { isFollowing } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { gone, listening } from '../../test/support/sockets.ts';
import { newKey } from '../access/key.ts';

let byFramework = 0;
subscribe('tracing:fastify.request.handler:start', () => byFramework++);

const tls = selfSigned();
const { app, call, database, keys } = await startApp({
  tls,
  reading: { cache: 'snapshot' },
  limits: { failedKeysPerMinute: 2, readsPerSecond: 5 },
});
await call('POST', '/v1/segments', { slug: 'A' });
await call('PATCH', '/v1/users/1/segments', { add: ['A'] });
await app.listen({ port: 0, host: '127.0.0.1' });
const { port } = app.server.address() as AddressInfo;
await until(() => isFollowing(database), 'the keys to be in memory');

async function ask(key: string, path: string) {
  const before = byFramework;
  const sent = request({ port, host: '127.0.0.1', path, ca: tls.cert, headers: { authorization: `Bearer ${key}` } });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const protocol = (answer.socket as TLSSocket).getProtocol();
  const body = JSON.parse((await answer.toArray()).join('')) as Record<string, unknown>;
  return { status: answer.statusCode, headers: answer.headers, body, protocol, isByFramework: byFramework > before };
}

test('both paths answer over TLS, the same, and links say https', async () => {
  const slow = await ask(keys.read, '/v1/users/1/segments?');
  const fast = await ask(keys.read, '/v1/users/1/segments');
  assert.deepEqual([slow.isByFramework, fast.isByFramework], [true, false]);
  assert.deepEqual([slow.status, fast.status, slow.body.segments, fast.body.segments], [200, 200, ['A'], ['A']]);
  assert.deepEqual(Object.keys(fast.headers).toSorted(), Object.keys(slow.headers).toSorted());
  assert.match(String(fast.protocol), /^TLSv1\.[23]$/);
  const { body } = await ask(keys.write, '/v1/users/1/report?month=2025-11');
  assert.ok(String(body.url).startsWith(`https://127.0.0.1:${port}/v1/downloads/`), String(body.url));
});

test('limits hold over TLS', async () => {
  await until(async () => (await ask(keys.admin, '/v1/users/1/segments')).status === 429, 'the key to be limited');
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await ask(newKey(), '/v1/users/1/segments')).status);
  assert.deepEqual(statuses, [401, 401, 429, 429]);
});

test('who speaks plain HTTP gets no answer, and the service goes on', async () => {
  const { socket, received } = listening(port);
  socket.write(`GET /v1/users/1/segments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys.read}\r\n\r\n`);
  await once(socket, 'connect');
  await gone(socket);
  assert.ok(!received().includes('HTTP/1.1 200') && !received().includes('segments'), received());
  assert.equal((await ask(keys.write, '/v1/key')).status, 200);
});
