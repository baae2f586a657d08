import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, test, type TestContext } from 'node:test';
import fastify from 'fastify';
import { until } from '../../test/support/service.ts';
import { gone, listening } from '../../test/support/sockets.ts';
import { cutSlowRequests } from './slow-requests.ts';

const limitMs = 200;
const app = fastify();
after(() => app.close());
cutSlowRequests(app, limitMs);
app.addContentTypeParser('text/plain', (_request, payload, done) => {
  payload.resume().on('end', () => done(null));
});
app.post('/json', async () => 'answered');
app.post('/file', { config: { takes: 'anything' } }, async () => 'answered');
const refused = { config: { takes: 'anything' }, preParsing: async () => Promise.reject(new Error('no')) };
app.post('/refused', refused, async () => 'never');
const { port } = new URL(await app.listen({ port: 0 }));

const headOf = (path: string, type: string, framing = 'content-length: 2') =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: ${type}\r\n${framing}\r\n\r\n`;

/** Sends the head and the first byte of two, and the other one later; what came until the connection was closed or cut. */
const halfOf = (path: string, type: string, rest?: Promise<unknown>) => answerTo(`${headOf(path, type)}1`, rest);

async function answerTo(text: string, rest?: Promise<unknown>) {
  const { socket, received } = listening(Number(port));
  socket.write(text);
  if (rest) void rest.then(() => socket.write('2'));
  await gone(socket);
  return received();
}

test('a body that does not come in time is cut, and the next request is answered', async () => {
  assert.equal(await halfOf('/json', 'application/json'), '');
  const { statusCode } = await app.inject({ method: 'POST', url: '/json', payload: {} });
  assert.equal(statusCode, 200);
});

test('also one whose length was not told', async () => {
  assert.equal(await answerTo(`${headOf('/json', 'application/json', 'transfer-encoding: chunked')}1\r\n1\r\n`), '');
});

test('a file may take longer', async () => {
  const over = Promise.withResolvers<void>();
  const answer = halfOf('/file', 'text/plain', over.promise);
  await halfOf('/json', 'application/json'); // begun later, and cut: the time is over for the file too
  over.resolve();
  assert.match(await answer, /^HTTP\/1\.1 200 [^]*answered/);
});

const lasting = (path: string, length: number) =>
  headOf(path, 'text/plain', `content-length: ${length}`).replace('connection: close', 'connection: keep-alive');

for (const [path, status] of [
  ['/refused', 500],
  ['/%z', 400],
] as const)
  test(`who sends on after a refusal is cut, though byte after byte comes (${path})`, { timeout: 30_000 }, async (t) => {
    const startedAt = performance.now();
    const { socket, received } = listening(Number(port));
    socket.write(lasting(path, 1_000_000));
    const sending = setInterval(() => socket.write('1'), limitMs / 10);
    t.after(() => clearInterval(sending));
    await gone(socket);
    assert.match(received(), new RegExp(`^HTTP/1.1 ${status} `));
    assert.ok(performance.now() - startedAt >= limitMs * 0.9);
  });

/** The limits that have begun since, and of them those that were ended. */
function limitsOf(t: TestContext) {
  const [begun, ended] = [new Set<unknown>(), new Set<unknown>()];
  const { setTimeout: begin, clearTimeout: end } = globalThis;
  t.mock.method(globalThis, 'setTimeout', (call: () => void, ms: number) => {
    const timer = begin(call, ms);
    if (ms === limitMs) begun.add(timer);
    return timer;
  });
  t.mock.method(globalThis, 'clearTimeout', (timer: NodeJS.Timeout) => {
    ended.add(timer);
    end(timer);
  });
  return { begun, left: () => begun.difference(ended).size };
}

for (const path of ['/refused', '/%z'])
  for (const rest of ['', '2'])
    test(`nothing waits for a refused request that ${rest ? 'is there whole' : 'hung up'} (${path})`, async (t) => {
      const { begun, left } = limitsOf(t);
      const { socket } = listening(Number(port));
      socket.write(`${lasting(path, 2)}1`);
      await once(socket, 'data');
      assert.ok(begun.size > 0);
      if (rest) socket.write(rest);
      else socket.destroy();
      await until(() => left() === 0, 'the limits to end', limitMs * 20);
    });

test('whose rest comes in time after a refusal goes on by the same connection for as long as he likes', async () => {
  const socket = connect(Number(port), '127.0.0.1');
  let answer = '';
  const next = () => once(socket, 'data').then(([bytes]) => (answer = String(bytes)));
  socket.write(`${lasting('/refused', 2)}1`);
  await next();
  assert.match(answer, /^HTTP\/1.1 500 /);
  socket.write('2');
  await halfOf('/json', 'application/json'); // begun later, and cut
  socket.write(`${headOf('/json', 'application/json')}{}`);
  await next();
  assert.match(answer, /^HTTP\/1.1 200 /);
});
