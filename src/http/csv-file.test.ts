import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import fastify from 'fastify';
import { csvFile } from './csv-file.ts';

test('a file whose reader went away before it was begun is told so', async () => {
  const app = fastify();
  after(() => app.close());
  const [asked, made] = [Promise.withResolvers<AbortSignal>(), Promise.withResolvers<void>()];
  app.get('/file', (request, reply) =>
    csvFile(request, reply, 'a.csv', async (gone) => {
      asked.resolve(gone);
      await made.promise;
      return [] as unknown as AsyncIterable<string>;
    }),
  );
  const { port } = new URL(await app.listen({ port: 0 }));
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('GET /file HTTP/1.1\r\nHost: x\r\n\r\n');
  const gone = await asked.promise;
  assert.equal(gone.aborted, false);
  const told = once(gone, 'abort');
  socket.destroy();
  await told;
  made.resolve();
});

test('a file is sent as it is made, and for a HEAD it is not made', async () => {
  const app = fastify();
  let made = 0;
  app.get('/file', (request, reply) =>
    csvFile(request, reply, 'a.csv', async function* () {
      made++;
      yield 'user_id\r\n';
      yield Buffer.from('1\r\n');
    }),
  );
  const get = await app.inject({ url: '/file' });
  assert.deepEqual([get.statusCode, get.body, made], [200, 'user_id\r\n1\r\n', 1]);
  const head = await app.inject({ method: 'HEAD', url: '/file' });
  assert.deepEqual([head.statusCode, head.body, made], [200, '', 1]);
  for (const name of ['content-type', 'content-disposition']) assert.equal(head.headers[name], get.headers[name]);
  assert.equal(get.headers['content-type'], 'text/csv; charset=utf-8');
  assert.equal(get.headers['content-disposition'], 'attachment; filename="a.csv"');
});
