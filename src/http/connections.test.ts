import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { listening } from '../../test/support/sockets.ts';

/** What a listening app sends back, to the end of the connection, to bytes sent as they are. */
async function exchange(port: number, text: string): Promise<string> {
  const { socket, received } = listening(port);
  const ended = once(socket, 'close');
  socket.write(text);
  await ended;
  return received();
}

for (const [what, text, detail] of [
  ['what is no HTTP', 'HELO there\r\n\r\n', 'not valid HTTP/1.1'],
  [
    'a head of more than 16 KiB',
    `GET /v1/segments HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`,
    'larger than 16 KiB',
  ],
] as const) {
  test(`${what} is answered with a problem, and the connection ended`, async () => {
    const { app } = await startApp();
    await app.listen({ port: 0 });
    const answer = await exchange((app.server.address() as AddressInfo).port, text);
    const [head, body] = answer.split('\r\n\r\n') as [string, string];
    assert.match(head, /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json\r\n/);
    const problem = JSON.parse(body) as { code: string; detail: string; status: number };
    assert.deepEqual([problem.code, problem.status, problem.detail.includes(detail)], ['invalid_request', 400, true]);
  });
}

test('an expectation that nobody knows is ignored: the request is answered as any other', async () => {
  const { app, keys } = await startApp();
  await app.listen({ port: 0 });
  const ask = (key: string) =>
    `GET /v1/key HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: miracles\r\nAuthorization: Bearer ${key}\r\n\r\n`;
  const { port } = app.server.address() as AddressInfo;
  assert.match(await exchange(port, ask(keys.read)), /^HTTP\/1\.1 200 OK[^]*"name":"reader"/);
  assert.match(await exchange(port, ask('x')), /^HTTP\/1\.1 401 [^]*"code":"unauthorized"/);
});
