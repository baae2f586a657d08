import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, test, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { startApp, type TestApp } from '../../test/support/app.ts';
import { selfSigned } from '../../test/support/certificate.ts';
import type { TestDatabase } from '../../test/support/database.ts';
import { holdUp } from '../../test/support/locks.ts';
import { until } from '../../test/support/service.ts';
import { listening } from '../../test/support/sockets.ts';

const certificate = selfSigned();
const half = 'GET /healthz HTTP/1.1\r\n';
const whole = `${half}Host: x\r\n\r\n`;

/** A request waits for the definitions, until they are let go. */
async function holdUpOne(t: TestContext, database: TestDatabase) {
  const { waiting, release } = await holdUp(t, database, 'definitions');
  return { untilOneWaits: () => until(async () => (await waiting()) === 1, 'a request to wait for the database'), release };
}

async function start(isTls: boolean, options: Parameters<typeof startApp>[0] = {}) {
  const started = await startApp({ ...options, ...(isTls && { tls: certificate }) });
  await started.app.listen({ host: '127.0.0.1', port: 0 });
  return started;
}

const addressOf = ({ app }: TestApp) => ({ host: '127.0.0.1', port: (app.server.address() as AddressInfo).port });

/** A connection on which this was sent, and read by the service. */
async function connection(started: TestApp, isTls: boolean, text: string): Promise<Socket> {
  const accepting = accepted(started, isTls);
  const to = addressOf(started);
  const socket = isTls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
  after(() => socket.destroy());
  socket.on('error', () => {}).resume();
  const other = await accepting;
  if (text) socket.write(text);
  await until(() => other.bytesRead >= text.length, 'it to be read');
  return socket;
}

async function untilStopped(stop: Promise<unknown>) {
  let isOver = false;
  void stop.then(() => (isOver = true));
  await until(() => isOver, 'the stop', 5_000);
}

/** A request on a connection of its own; with a body it is a POST of JSON. */
function send(started: TestApp, isTls: boolean, path: string, body?: string): ClientRequest {
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const headers = { authorization: `Bearer ${started.keys.read}`, ...type };
  const method = body === undefined ? 'GET' : 'POST';
  const options = { ...addressOf(started), path, method, headers, agent: false };
  return (isTls ? requestTls({ ...options, rejectUnauthorized: false }) : request(options)).end(body);
}

/** The status of a read, or that it was cut. */
const ask = (started: TestApp, isTls: boolean, path: string): Promise<number | 'cut'> =>
  once(send(started, isTls, path), 'response').then(
    ([{ statusCode }]) => statusCode as number,
    () => 'cut' as const,
  );

/** The other side of the next connection. */
const accepted = async ({ app }: TestApp, isTls: boolean): Promise<Socket> =>
  ((await once(app.server, isTls ? 'secureConnection' : 'connection')) as [Socket])[0];

for (const isTls of [false, true]) {
  const by = isTls ? 'by https' : 'by http';

  for (const [what, text] of [
    ['on which nothing was ever asked', ''],
    ['in the middle of its first head', half],
    ['in the middle of a later head', whole + half],
  ] as const)
    test(`a connection ${what} does not hold up a stop, ${by}`, async () => {
      const started = await start(isTls);
      await connection(started, isTls, text);
      await untilStopped(started.app.close());
    });

  // The one is answered by the framework, the other before it (fast-path.ts).
  for (const path of ['/v1/segments', '/v1/users/1/segments?last_revision=true'])
    test(`a stop cuts who is in the middle of a head while it waits for the answer to ${path}, ${by}`, async (t) => {
      const started = await start(isTls);
      assert.equal(await ask(started, isTls, path), 200);
      const idle = await connection(started, isTls, half);
      const { untilOneWaits, release } = await holdUpOne(t, started.database);
      const answer = ask(started, isTls, path);
      await untilOneWaits();
      const stop = started.app.close();
      await until(() => idle.closed, 'the idle one to be cut');
      await release();
      assert.equal(await answer, 200);
      await untilStopped(stop);
    });

  test(`an answer that is written and not yet taken is not cut by a stop, ${by}`, async () => {
    const started = await start(isTls);
    // So much that the kernel does not take it all from the service: 16 MB.
    for (let i = 0; i < 130; i++) {
      const slug = `S${i}_${'X'.repeat(115)}`;
      assert.equal((await started.call('POST', '/v1/segments', { slug, percent: 100 })).status, 201);
    }
    const user_ids = Array.from({ length: 1_000 }, (_, i) => `${i}`);
    const accepting = accepted(started, isTls);
    const asked = send(started, isTls, '/v1/lookup', JSON.stringify({ user_ids }));
    const other = await accepting;
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    await until(() => other.writableLength > 0, 'the answer to wait to be taken');
    const stop = started.app.close();
    await until(() => !started.app.server.listening, 'the stop to begin');
    const { users } = JSON.parse((await answer.toArray()).join('')) as { users: unknown[] };
    assert.equal(users.length, 1_000);
    await untilStopped(stop);
  });

  test(`a stop waits no longer than its grace for what is being answered, ${by}`, async (t) => {
    const started = await start(isTls, { graceMs: 100 });
    const { untilOneWaits, release } = await holdUpOne(t, started.database);
    const answer = ask(started, isTls, '/v1/segments');
    await untilOneWaits();
    const stop = started.app.close();
    assert.equal(await answer, 'cut');
    await release();
    await untilStopped(stop);
  });
}

test('what was answered last on a connection before it is closed by a stop says so', async (t) => {
  const started = await start(false);
  const { untilOneWaits, release } = await holdUpOne(t, started.database);
  const headers = { authorization: `Bearer ${started.keys.read}`, connection: 'keep-alive' };
  const asked = fetch(`http://127.0.0.1:${addressOf(started).port}/v1/segments`, { headers });
  await untilOneWaits();
  const stop = started.app.close();
  await release();
  const answer = await asked;
  assert.deepEqual([answer.status, answer.headers.get('connection')], [200, 'close']);
  await answer.text();
  await untilStopped(stop);
});

test('what follows a preflight on the same connection is waited for by a stop', async (t) => {
  const started = await start(false, { corsOrigins: ['https://a.example.org'] });
  const { socket, received } = listening(addressOf(started).port);
  const preflight = 'Origin: https://a.example.org\r\nAccess-Control-Request-Method: GET';
  socket.write(`OPTIONS /v1/segments HTTP/1.1\r\nHost: x\r\n${preflight}\r\n\r\n`);
  await until(() => received().includes('HTTP/1.1 204'), 'the preflight to be answered');
  const idle = await connection(started, false, half);
  const { untilOneWaits, release } = await holdUpOne(t, started.database);
  socket.write(`GET /v1/segments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${started.keys.read}\r\n\r\n`);
  await untilOneWaits();
  const stop = started.app.close();
  await until(() => idle.closed, 'the idle one to be cut');
  await release();
  await until(() => received().includes('HTTP/1.1 200'), 'the answer');
  await untilStopped(stop);
});

test('a file that was refused on the way is counted, and holds up no stop', async () => {
  const started = await start(false, { imports: { isRunner: false, maxBytes: 1_000 } });
  await started.call('POST', '/v1/segments', { slug: 'A' });
  const { socket, received } = listening(addressOf(started).port);
  const head = `Host: x\r\nAuthorization: Bearer ${started.keys.write}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked`;
  socket.write(`POST /v1/segments/A/imports?operation=add HTTP/1.1\r\n${head}\r\n\r\n`);
  socket.write(`2000\r\n${'1234567\n'.repeat(1_024)}\r\n`);
  await until(() => received().includes('HTTP/1.1 413'), 'the refusal');
  const figure = /segmentd_http_request_duration_seconds_count\{[^}]*imports[^}]*status="413"[^}]*\} 1/;
  await until(async () => figure.test((await started.as('read')('GET', '/metrics')).text), 'it to be counted');
  await untilStopped(started.app.close());
});

test('a request that comes while the process stops is refused as a problem, and the one under way is answered', async (t) => {
  const started = await start(false);
  const { socket, received } = listening(addressOf(started).port);
  const ended = once(socket, 'close');
  const request = `GET /v1/segments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${started.keys.read}\r\n\r\n`;

  const { untilOneWaits, release } = await holdUpOne(t, started.database);
  socket.write(request);
  await untilOneWaits();
  const closed = started.app.close();
  socket.write(request);
  await release();
  await Promise.all([ended, closed]);
  const [first, second] = [...received().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  assert.equal(first, '200');
  assert.ok(second === undefined || (second === '503' && received().includes('"code":"overloaded"')), received());
});
