import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { until } from '../../test/support/service.ts';

const { app, as, call, keys, another } = await startApp({
  streams: { restMs: 200 },
  publicUrl: 'https://segments.example.org',
  reading: { cache: 'snapshot' },
});
const address = await app.listen({ host: '127.0.0.1', port: 0 });
const flags = '/ofrep/v1/evaluate/flags';
const change = async (userId: string, body: object) => (await call('PATCH', `/v1/users/${userId}/segments`, body)).body;

/** The stream that an answer to this key names. */
async function linkFor(userId: string, key = keys.evaluate): Promise<string> {
  const { body } = await as(null)('POST', flags, { context: { targetingKey: userId } }, { 'x-api-key': key });
  const [{ type, url }, ...others] = body.eventStreams;
  assert.deepEqual([type, others], ['sse', []]);
  assert.ok(url.startsWith('https://segments.example.org/ofrep/v1/streams/'), url);
  return url.slice('https://segments.example.org'.length);
}

interface Stream {
  status: number;
  headers: http.IncomingHttpHeaders;
  text(): string;
  /** The moments of which it told. */
  told(): string[];
  isEnded(): boolean;
}

async function open(path: string): Promise<Stream> {
  const request = http.get(address + path, { agent: false });
  after(() => request.destroy());
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let [text, isEnded] = ['', false];
  response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  response.on('error', () => {}).on('close', () => (isEnded = true));
  request.on('error', () => {});
  const told = () =>
    [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, data]) => {
      const { type, lastModified, ...rest } = JSON.parse(data!) as Record<string, string>;
      assert.deepEqual([type, rest], ['refetchEvaluation', {}]);
      return lastModified!;
    });
  return { status: response.statusCode!, headers: response.headers, text: () => text, told, isEnded: () => isEnded };
}

/** A stream that has said its first word; another one may have come with it, of what was changed just before. */
async function follow(userId: string): Promise<Stream> {
  const stream = await open(await linkFor(userId));
  assert.equal(stream.status, 200);
  await until(() => stream.told().length > 0, 'the first word');
  return stream;
}

before(async () => {
  for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
});

test('begins with a word, and goes on when anything is said of the user, an event or not', async () => {
  const stream = await follow('1');
  const { 'content-type': type, 'cache-control': cache, 'x-accel-buffering': buffering } = stream.headers;
  assert.deepEqual([type, cache, buffering], ['text/event-stream', 'no-store', 'no']);
  assert.match(stream.text(), /^retry: 1000\n:\n\n/);
  for (const body of [{ add: ['A'] }, { add: ['A'], ttl_seconds: 3600 }, { add: ['A'], ttl_seconds: 7200 }, { remove: ['A'] }]) {
    const { as_of } = await change('1', body);
    await until(() => stream.told().at(-1)! >= as_of, `a word after ${JSON.stringify(body)}`);
  }
  const count = stream.told().length;
  await until(() => stream.text().endsWith('\n\n:\n\n'), 'a comment when nothing happens');
  assert.equal(stream.told().length, count);
});

test('what it tells of is in the answer to who asks with its moment, whichever process is asked', async () => {
  const other = await another({ cache: 'snapshot' });
  const stream = await follow('2');
  for (let i = 0; i < 10; i++) {
    const count = stream.told().length;
    await change('2', i % 2 ? { remove: ['A'] } : { add: ['A'] });
    await until(() => stream.told().length > count, 'a word');
    const { body } = await other('POST', `${flags}?flagConfigLastModified=${stream.told().at(-1)}`, {
      context: { targetingKey: '2' },
    });
    assert.equal(body.flags[0].value, i % 2 === 0);
  }
});

test('tells an end, a planned start and the change of a segment at their moment, though no request comes', async () => {
  const moments = [2_000, 2_500, 3_000].map((ms) => new Date(Date.now() + ms).toISOString()) as [string, string, string];
  assert.deepEqual((await change('3', { add: ['A'], expires_at: moments[0] })).added, ['A']);
  assert.deepEqual((await change('3', { add: ['B'], starts_at: moments[1] })).unchanged, ['B']);
  assert.equal((await call('PATCH', '/v1/segments/B', { percent: 50, effective_at: moments[2] })).status, 200);
  const stream = await follow('3');
  for (const moment of moments) await until(() => stream.told().some((one) => one >= moment), `a word of ${moment}`);
  assert.ok(Date.now() < Date.parse(moments[2]) + 5_000, 'no round of housekeeping is waited for');
});

test('everybody hears of a segment, nobody of another user', async () => {
  const streams = [await follow('4'), await follow('5')] as const;
  const { as_of } = await change('4', { add: ['A'] });
  await until(() => streams[0].told().at(-1)! >= as_of, 'a word about 4');
  assert.deepEqual(
    streams[1].told().filter((moment) => moment >= as_of),
    [],
  );
  const seen = streams.map((stream) => stream.told().length);
  await call('POST', '/v1/segments', { slug: 'NEW', percent: 10 });
  await until(() => streams.every((stream, i) => stream.told().length > seen[i]!), 'a word about NEW');
});

test('ends when its key is revoked, wherever, and its link cannot be followed any more', async () => {
  const other = await another();
  const admin = as('admin');
  for (const [name, revoke] of [
    ['here', admin],
    ['elsewhere', other],
  ] as const) {
    const key = (await admin('POST', '/v1/keys', { name, scope: 'evaluate' })).body.key as string;
    const link = await linkFor('6', key);
    const stream = await open(link);
    const others = await follow('6');
    const { status } = await revoke('DELETE', `/v1/keys/${name}`, undefined, { authorization: `Bearer ${keys.admin}` });
    assert.equal(status, 204);
    await until(() => stream.isEnded(), 'the end');
    await until(async () => (await open(link)).status === 403, 'the link to be refused');
    assert.equal(others.isEnded(), false);
  }
});

test('a link that was changed, is of a report, or names no living key, is refused', async () => {
  const link = await linkFor('7');
  const report = (await call('GET', '/v1/users/7/report?month=2026-01')).body.url as string;
  for (const path of [`${link}x`, link.replace(/.$/, '_'), `/ofrep/v1/streams/${report.split('/').at(-1)!}`]) {
    const { status, body } = await as(null)('GET', path);
    assert.deepEqual([status, body.code], [403, 'link_invalid']);
  }
  assert.equal((await as(null)('GET', `/v1/downloads/${link.split('/').at(-1)!}`)).status, 403);
  const head = await as(null)('HEAD', link);
  assert.deepEqual([head.status, head.text], [200, '']);
});

test('opening it counts as a read of its key, together with the others, and of no other key', async () => {
  const { app, another, keys } = await startApp({ limits: { readsPerSecond: 1 } });
  const elsewhere = await another(); // which counts for itself
  const linkOf = async (key: string) => {
    const asked = { context: { targetingKey: '9' } };
    const { body } = await elsewhere('POST', flags, asked, { authorization: `Bearer ${key}` });
    return new URL(body.eventStreams[0].url as string).pathname;
  };
  const [link, ofAnother] = [await linkOf(keys.evaluate), await linkOf(keys.read)];
  const begunAt = performance.now();
  const opened = (url: string) => app.inject({ method: 'HEAD', url });
  const read = () => app.inject({ url: '/v1/key', headers: { authorization: `Bearer ${keys.evaluate}` } });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? opened(link) : read())));
  const letIn = answers.filter(({ statusCode }) => statusCode === 200).length;
  assert.ok(letIn >= 1 && letIn <= 1 + (performance.now() - begunAt) / 1000, `${letIn}`);
  for (const { statusCode: status, headers } of answers)
    if (status !== 200) assert.deepEqual([status, headers['retry-after']], [429, '1']);
  assert.equal((await opened(ofAnother)).statusCode, 200);
});

test('ends when the process stops', async () => {
  const stream = await follow('8');
  await app.close();
  await until(() => stream.isEnded(), 'the end');
});
