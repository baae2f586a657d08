import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, test } from 'node:test';
import { cloneDatabase } from '../support/database.ts';
import { adminKey, startService, until } from '../support/service.ts';

const readerCount = 1_000;
const changeCount = 150;

test(`${readerCount} readers on one process, each at a place of its own, hear everything in order; a stop ends them`, async () => {
  const service = await startService({ DATABASE_URL: (await cloneDatabase()).url });
  const { port } = new URL(service.url);
  for (const slug of ['A', 'B']) assert.equal((await service.send('POST', '/v1/segments', { slug })).status, 201);
  const open = async (after?: string) => {
    const path = `/v1/changes${after === undefined ? '' : `?after=${encodeURIComponent(after)}`}`;
    const request = http.get({ port, path, agent: false, headers: { authorization: `Bearer ${adminKey}` } });
    requests.push(request);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    assert.equal(response.statusCode, 200);
    const reader = { text: '', isWhole: false };
    response.setEncoding('latin1').on('data', (piece: string) => (reader.text += piece));
    response.on('end', () => (reader.isWhole = true)).on('error', () => {});
    request.on('error', () => {});
    return reader;
  };
  const requests: http.ClientRequest[] = [];
  after(() => {
    for (const request of requests) request.destroy();
  });
  const change = async (userId: string, body: object) =>
    assert.equal((await service.send('PATCH', `/v1/users/${userId}/segments`, body)).status, 200);
  const eventsOf = ({ text }: { text: string }) => text.split('\n\n').filter((block) => block.startsWith('event: '));

  const first = await open();
  for (let i = 0; i < 50; i++) await change(`u${i}`, { add: ['A', 'B'] });
  await until(() => eventsOf(first).length >= 100, 'the first changes');
  const places = eventsOf(first).map((block) => /^id: (.*)$/m.exec(block)![1]!);
  const readers: { from: number; reader: Awaited<ReturnType<typeof open>> }[] = [];
  for (let i = 0; i < readerCount; i += 50) {
    const some = Array.from({ length: 50 }, async (_, n) => ({ from: (i + n) % 100, reader: await open(places[(i + n) % 100]) }));
    readers.push(...(await Promise.all(some)));
  }
  assert.match((await service.send('GET', '/metrics')).body as string, new RegExp(`^segmentd_streams ${readerCount + 1}$`, 'm'));
  for (let i = 0; i < changeCount; i++)
    await change(`v${i % 20}`, { [Math.floor(i / 20) % 2 === 0 ? 'add' : 'remove']: ['A', 'B'] });
  const all = () => eventsOf(first);
  await until(() => all().length === 100 + 2 * changeCount, 'the rest of them');
  await until(
    () => readers.every(({ from, reader }) => eventsOf(reader).length >= all().length - from - 1),
    `everybody to have heard of it`,
    60_000,
  );
  for (const { from, reader } of readers) assert.deepEqual(eventsOf(reader), all().slice(from + 1));

  const startedAt = performance.now();
  service.process.kill('SIGTERM');
  assert.equal(await service.exited, 0);
  assert.ok(performance.now() - startedAt < 15_000, 'the stop did not wait for readers');
  await until(() => readers.every(({ reader }) => reader.isWhole), 'whole answers');
});
