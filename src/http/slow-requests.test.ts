import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import fastify from 'fastify';
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
const { port } = new URL(await app.listen({ port: 0 }));

const headOf = (path: string, type: string, framing = 'content-length: 2') =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: ${type}\r\n${framing}\r\n\r\n`;

/** Sends the head and the first byte of two, and the other one later; what came until the connection was closed or cut. */
const halfOf = (path: string, type: string, rest?: Promise<unknown>) => answerTo(`${headOf(path, type)}1`, rest);

async function answerTo(text: string, rest?: Promise<unknown>) {
  const socket = connect(Number(port), '127.0.0.1');
  let answer = '';
  socket.on('data', (bytes) => (answer += bytes.toString())).on('error', () => {}); // a cut connection is what is asked about
  socket.write(text);
  if (rest) void rest.then(() => socket.write('2'));
  await once(socket, 'close');
  return answer;
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
