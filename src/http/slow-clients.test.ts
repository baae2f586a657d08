import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import pino from 'pino';
import { startApp, type TestApp } from '../../test/support/app.ts';
import { selfSigned } from '../../test/support/certificate.ts';
import { cloneDatabase, isFollowing, openAgain } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { gone, listening } from '../../test/support/sockets.ts';
import { buildApp } from '../app.ts';

const stallMs = 400;
const database = await cloneDatabase();
const plain = await startApp({ database, stallMs, maxDownloads: 1, reading: { cache: 'snapshot' } });
const month = new Date().toISOString().slice(0, 7);

/** Enough that no kernel takes it all for a reader who takes nothing. */
const members = 60_000;
before(async () => {
  await plain.call('POST', '/v1/segments', { slug: 'A' });
  await database.pool.query(
    `with ids as (select lpad(n::text, 120, 'x') as user_id from generate_series(1, ${members}) n),
      known as (insert into users (user_id, revision, known_since)
        select user_id, d.revision, now() - interval '1 hour' from ids, definitions d returning user_id)
     insert into memberships (user_id, segment_id, starts_at, since, ends_at, excluded, begun_by, begun_cause)
     select user_id, s.segment_id, s.created_at, s.created_at, 'infinity', false, 'writer', 'import' from known, segments s`,
  );
  await plain.app.listen({ port: 0 });
});

/** The port of another app on the same database, with a limit that no test reaches. */
async function another(): Promise<number> {
  const other = await buildApp({
    database: openAgain(database),
    reading: { cache: 'off', maxStalenessSeconds: 300 },
    links: { secret: Buffer.from('a secret of the tests'), ttlSeconds: 60, publicUrl: null },
    logger: pino({ level: 'silent' }),
  });
  after(() => other.close());
  await other.listen({ port: 0 });
  return (other.server.address() as AddressInfo).port;
}

const portOf = ({ app }: TestApp) => (app.server.address() as AddressInfo).port;

/** Sends bytes and reads nothing, unless told to; `closed` once the other side has cut it. */
function sends(text: string, socket: Socket = connect(portOf(plain))) {
  const startedAt = performance.now();
  socket.write(text);
  const closed = gone(socket).then(() => performance.now() - startedAt);
  return { socket, closed };
}
const get = (path: string, ...more: string[]) =>
  [`GET ${path} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${plain.keys.write}`, ...more, '', ''].join('\r\n');
const post = (path: string, ...more: string[]) => get(path, 'Content-Length: 1000', ...more).replace('GET', 'POST');

for (const [what, text] of [
  ['nothing', ''],
  ['half a head', 'GET /v1/segments HTTP/1.1\r\nHost: x\r\n'],
  ['half a body', () => `${post('/v1/segments', 'Content-Type: application/json')}{"slug":`],
  ['half a file', () => `${post('/v1/segments/A/imports?operation=add', 'Content-Type: text/plain')}1\n2\n`],
] as const) {
  test(`who sends ${what} and then no more is cut`, async () => {
    const { closed, socket } = sends(typeof text === 'string' ? text : text());
    socket.resume();
    const ms = await closed;
    assert.ok(ms >= stallMs * 0.9 && ms < stallMs * 10, `after ${ms} ms`);
  });
}

test('who sends half a head and keeps its own side open when the other one was ended is let go all the same', async () => {
  const connections = () => promisify(plain.app.server.getConnections.bind(plain.app.server))();
  await until(async () => (await connections()) === 0, 'the others to be gone');
  const socket = connect({ port: portOf(plain), allowHalfOpen: true });
  after(() => socket.destroy());
  socket.on('error', () => {}).resume();
  socket.write('GET /v1/segments HTTP/1.1\r\n');
  await once(socket, 'end');
  assert.equal(await connections(), 1);
  await until(async () => (await connections()) === 0, 'the connection to be gone');
});

test('whoever never sends the body that was announced takes no place for good', async () => {
  const one = await startApp({ database: await cloneDatabase(), stallMs, load: { maxRequests: 2 } });
  await one.app.listen({ host: '127.0.0.1', port: 0 });
  const half = `POST /v1/lookup HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${one.keys.read}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`;
  const status = async () => (await one.call('GET', '/v1/segments')).status;
  const clients = [1, 2, 3, 4, 5, 6].map(() => sends(half, connect({ host: '127.0.0.1', port: portOf(one) })));
  for (const { socket } of clients) socket.resume();
  await until(() => clients.every(({ socket }) => socket.closed), 'all to be cut');
  await until(async () => (await status()) === 200, 'their places to be free');
});

for (const [what, headers, bytes] of [
  ['too large', '', Buffer.alloc(8_000_000, '1234567\n')],
  ['no gzip', 'Content-Encoding: gzip\r\n', Buffer.alloc(8_000_000, 'no gzip\n')],
] as const)
  test(`a file that is refused on the way (${what}) is heard to its end, so that its sender hears of it, and its connection goes on`, async () => {
    const one = await startApp({ database: await cloneDatabase(), imports: { isRunner: false, maxBytes: 1_000_000 } });
    await one.app.listen({ host: '127.0.0.1', port: 0 });
    await one.call('POST', '/v1/segments', { slug: 'A' });
    const socket = connect({ host: '127.0.0.1', port: portOf(one) });
    after(() => socket.destroy());
    const head = `Host: x\r\nAuthorization: Bearer ${one.keys.write}\r\nContent-Type: text/plain\r\n${headers}Transfer-Encoding: chunked`;
    socket.write(`POST /v1/segments/A/imports?operation=add HTTP/1.1\r\n${head}\r\n\r\n${bytes.length.toString(16)}\r\n`);
    socket.write(bytes);
    await new Promise((resolve) => socket.write('\r\n0\r\n\r\n', resolve)); // all is sent before anything is read
    socket.write(`GET /v1/segments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${one.keys.read}\r\n\r\n`);
    let received = '';
    socket.setEncoding('latin1').on('data', (part: string) => (received += part));
    await until(() => (received.match(/HTTP\/1\.1 /g) ?? []).length === 2, 'both answers');
    const [first, second] = received.matchAll(/HTTP\/1\.1 (\d+)/g);
    assert.deepEqual([first![1], second![1]], [what === 'no gzip' ? '400' : '413', '200']);
  });

test('whose packed file is refused on the way may hang up, or send no more, and nobody else hears of it', async () => {
  const one = await startApp({ database: await cloneDatabase(), imports: { isRunner: false, maxBytes: 100_000 }, stallMs });
  await one.app.listen({ host: '127.0.0.1', port: 0 });
  await one.call('POST', '/v1/segments', { slug: 'A' });
  const file = gzipSync('1234567\n'.repeat(100_000)).subarray(0, 700);
  const head = `Host: x\r\nAuthorization: Bearer ${one.keys.write}\r\nContent-Type: text/plain\r\nContent-Encoding: gzip`;
  for (const hangsUp of [true, false]) {
    const { socket, received } = listening(portOf(one));
    const cut = gone(socket);
    socket.write(`POST /v1/segments/A/imports?operation=add HTTP/1.1\r\n${head}\r\nContent-Length: 5000\r\n\r\n`);
    socket.write(file);
    await until(() => received().includes('HTTP/1.1 413'), 'the refusal');
    if (hangsUp) socket.destroy();
    await cut; // it is not waited for without end
  }
  assert.equal((await one.call('GET', '/v1/segments')).status, 200);
  const connections = promisify(one.app.server.getConnections.bind(one.app.server));
  await until(async () => (await connections()) === 0, 'both to be gone');
});

test('of a file that was cut nothing was applied', async () => {
  await until(async () => {
    const { body } = await plain.call('GET', '/v1/imports');
    return body.imports.length === 1 && body.imports[0].state === 'failed' && body.imports[0].error === 'interrupted';
  }, 'the import to be given up');
});

/** Of exports alone: the reports' are the pool's. */
const exporting = async () =>
  (
    await database.pool.query(
      `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query like 'copy (%'`,
    )
  ).rowCount!;
/** The status and, of a refusal, the body; of a file no more than it takes to see that it comes. */
async function download(path: string, { whole = false } = {}) {
  const headers = { authorization: `Bearer ${plain.keys.read}`, accept: 'text/csv', connection: 'close' };
  const answer = await fetch(`http://127.0.0.1:${portOf(plain)}${path}`, { headers });
  if (whole || answer.status !== 200) return { status: answer.status, text: await answer.text() };
  await answer.body!.cancel();
  return { status: answer.status, text: '' };
}

test('who does not read an export is cut, and its connection and its place are free again', async () => {
  const { socket, closed } = sends(get('/v1/segments/A/members', 'Accept: text/csv'));
  socket.pause();
  await until(async () => (await exporting()) === 1, 'the export to run');
  const refused = await download('/v1/segments/A/members');
  assert.deepEqual([refused.status, JSON.parse(refused.text).code], [503, 'overloaded']);
  assert.match(refused.text, /sending 1 files already/);
  assert.equal((await plain.call('GET', '/v1/segments/A/members')).status, 200, 'a page of a list is no file');
  // A paused socket does not see its end: what was sent before it is read first.
  await until(async () => (await exporting()) === 0, 'the connection to be free');
  const whole = await download('/v1/segments/A/members', { whole: true });
  assert.equal(whole.text.split('\n').length, members + 2);
  socket.resume();
  await closed;
});

test('who goes away in the middle of an export leaves nothing behind', async () => {
  const patient = await another(); // so that it is not cut for its slowness
  const { socket } = sends(get('/v1/segments/A/members', 'Accept: text/csv'), connect(patient));
  await once(socket, 'readable');
  await until(async () => (await exporting()) === 1, 'the export to run');
  socket.destroy();
  await until(async () => (await exporting()) === 0, 'the connection to be free');
});

test('who goes away before an export has begun leaves nothing behind either', async () => {
  const patient = await another();
  const held = `select from pg_stat_activity where datname = current_database() and (query like 'copy (%'
    or query like 'set statement_timeout = 0; set enable_bitmapscan%')`;
  for (let ms = 0; ms < 30; ms++) {
    const { socket } = sends(get('/v1/segments/A/members', 'Accept: text/csv'), connect(patient));
    await wait(ms % 15);
    socket.destroy();
  }
  await until(async () => (await database.pool.query(held)).rowCount === 0, 'the connections to be free');
});

test('who does not read a report of everybody is cut, and its place is free again', async () => {
  const { body } = await plain.call('GET', `/v1/reports/history?month=${month}`);
  const { pathname } = new URL(body.url);
  const { socket, closed } = sends(get(pathname));
  await once(socket, 'readable'); // some of it is there, and none of it is taken
  assert.equal((await download(pathname)).status, 503);
  await until(async () => (await download('/v1/segments/A/members')).status === 200, 'the place to be free');
  socket.resume();
  await closed;
});

test('who asks and asks on one connection and reads nothing is cut', async () => {
  const path = `/v1/users/${'x'.repeat(119)}1/segments`;
  await plain.call('GET', path);
  const socket = connect(portOf(plain)).on('error', () => {});
  await isCutAsking(socket, get(path), plain);
});

test('the same by https', async () => {
  const tls = selfSigned();
  const secure = await startApp({ database: await cloneDatabase(), stallMs, tls });
  await secure.call('POST', '/v1/segments', { slug: 'A' });
  await secure.app.listen({ port: 0 });
  const socket = connectTls({ port: portOf(secure), ca: tls.cert, checkServerIdentity: () => undefined });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  await isCutAsking(socket, `GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n`, secure);
});

/** Asks without taking an answer, until the other side closes the connection. */
async function isCutAsking(socket: Socket, question: string, { app }: TestApp) {
  const open = () => new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)));
  socket.pause();
  await until(async () => (await open()) === 1, 'this to be the only connection');
  await until(async () => {
    if (socket.writable && socket.writableLength === 0) socket.write(question.repeat(400));
    return (await open()) === 0;
  }, 'the connection to be cut');
  socket.destroy();
}

test('whose request is refused while its body is still under way goes on by the same connection', async () => {
  const one = await startApp({ database: await cloneDatabase(), stallMs, load: { maxRequests: 0 } });
  await one.app.listen({ host: '127.0.0.1', port: 0 });
  await until(() => isFollowing(one.database), 'the key to be in memory');
  const { socket, received } = listening(portOf(one));
  const answered = (n: number) => until(() => (received().match(/HTTP\/1\.1 503 /g) ?? []).length === n, `answer ${n}`);
  const head = `Host: x\r\nAuthorization: Bearer ${one.keys.read}\r\n`;
  socket.write(`GET /v1/segments HTTP/1.1\r\n${head}\r\n`);
  await answered(1);
  const body = '{"context":{"targetingKey":"1"}}'; // of it the fast path has looked for a beginning
  socket.write(
    `POST /ofrep/v1/evaluate/flags/A HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await answered(2);
  socket.write(body);
  const later = sends('', connect({ host: '127.0.0.1', port: portOf(one) }));
  later.socket.resume();
  await later.closed; // it was cut
  socket.write(`GET /v1/segments HTTP/1.1\r\n${head}\r\n`);
  await answered(3);
});
