import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import fastify from 'fastify';
import { until } from '../../test/support/service.ts';
import { eventStreams, type EventSource, type Reader } from './event-stream.ts';

/** A server of streams; each asks for its source as it is opened. */
async function serve(options: Parameters<typeof eventStreams>[0], connect: (reader: Reader) => Partial<EventSource>) {
  const streams = eventStreams(options);
  let closed = 0;
  const app = fastify();
  app.get('/', async (request, reply) => {
    const key = String(request.headers['x-key'] ?? 'key');
    const source = (reader: Reader) => ({
      take: () => undefined,
      rest: () => ':\n\n',
      close: () => void closed++,
      ...connect(reader),
    });
    void reply.type('text/event-stream');
    return streams.open(key, Promise.resolve(source));
  });
  app.addHook('preClose', async () => streams.close());
  after(() => app.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { app, streams, port, closed: () => closed };
}

const read = async (port: number, headers: Record<string, string> = {}) => {
  const request = http.get({ port, headers, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let [text, isWhole, isEnded] = ['', false, false];
  response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  response
    .on('end', () => (isWhole = true))
    .on('close', () => (isEnded = true))
    .on('error', () => {});
  request.on('error', () => {});
  after(() => request.destroy());
  return { text: () => text, isWhole: () => isWhole, isEnded: () => isEnded, stop: () => request.destroy() };
};

test('what comes is sent as it comes, and when nothing does a comment', async () => {
  const waiting: string[] = ['data: 1\n\n'];
  const readers: Reader[] = [];
  const { port, streams, closed } = await serve({ restMs: 60 }, (reader) => {
    readers.push(reader);
    return { take: () => (waiting.length > 0 ? Buffer.from(waiting.shift()!) : undefined) };
  });
  const client = await read(port);
  await until(() => client.text() === 'data: 1\n\n:\n\n', 'a comment');
  waiting.push('data: 2\n\n', 'data: 3\n\n');
  readers[0]!.news();
  await until(() => client.text().includes('data: 2\n\ndata: 3\n\n'), 'the news');
  assert.deepEqual([streams.figures().open, closed()], [1, 0]);
  client.stop();
  await until(() => closed() === 1, 'the source to be told');
  assert.equal(streams.figures().open, 0);
});

test('the end is a whole answer: by the source, of a key, and of all when the server stops, which waits for nobody', async () => {
  const readers: Reader[] = [];
  const { port, streams, app, closed } = await serve({}, (reader) => {
    let isFirst = true;
    readers.push(reader);
    return { take: () => (isFirst ? ((isFirst = false), Buffer.from('data: 1\n\n')) : undefined) };
  });
  const clients: Awaited<ReturnType<typeof read>>[] = [];
  for (const key of ['a', 'b', 'b', 'c']) clients.push(await read(port, { 'x-key': key }));
  readers[0]!.end();
  await until(() => clients[0]!.isWhole(), 'the end of the first');
  streams.endOf((key) => key === 'b');
  await until(() => clients[1]!.isWhole() && clients[2]!.isWhole(), 'the end of those of b');
  assert.equal(clients[3]!.isEnded(), false);
  const startedAt = performance.now();
  await app.close();
  assert.ok(performance.now() - startedAt < 2_000 && closed() === 4);
  await until(() => clients[3]!.isWhole(), 'the end of the last');
});

test('who takes nothing is cut, others are not, and what waits for it is little', async () => {
  const piece = Buffer.alloc(65_536, 'x');
  const taken: number[] = [];
  const { port, streams } = await serve({ stallMs: 300 }, () => {
    const i = taken.push(0) - 1;
    const isPaced = i > 0;
    return { take: () => (isPaced && taken[i]! > 0 ? undefined : ((taken[i]! += piece.length), piece)) };
  });
  const before = process.memoryUsage();
  const socket = net.connect(port).pause();
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => taken.length === 1, 'the one that takes nothing');
  const client = await read(port);
  await until(() => streams.figures().cut === 1, 'the cut');
  // The kernel takes some for the socket; the rest waits at the source.
  assert.ok(taken[0]! < 32 * 1024 * 1024, `${taken[0]} bytes`);
  assert.ok(process.memoryUsage().arrayBuffers - before.arrayBuffers < 4 * 1024 * 1024);
  await until(() => client.text().length === piece.length, 'the other to have its piece');
  assert.deepEqual([client.isEnded(), streams.figures().open], [false, 1]);
  socket.destroy();
});
