import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { age } from '../../test/support/aging.ts';
import { startApp } from '../../test/support/app.ts';
import { type EventSource, readEvents, type ReadEvent } from '../../test/support/event-source.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { until } from '../../test/support/service.ts';

const { app, as, call, database, keys } = await startApp({ streams: { restMs: 200, stallMs: 300 } });
const address = await app.listen({ host: '127.0.0.1', port: 0 });
const follow = (query = '', headers: Record<string, string> = {}, key = keys.read): Promise<EventSource> =>
  readEvents(`${address}/v1/changes${query}`, { authorization: `Bearer ${key}`, ...headers });

const change = async (userId: string, body: object) => (await call('PATCH', `/v1/users/${userId}/segments`, body)).body;
const told = (events: readonly ReadEvent[]) =>
  events.map(({ type, data }) =>
    type === 'segment'
      ? `${type} ${data.slug} ${data.change} ${data.percent} by ${data.actor}`
      : `${type} ${data.user_id} ${data.operation} ${data.segment}: ${data.cause} by ${data.actor}`,
  );

before(async () => {
  for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
});

test('tells what happens from now on, each with its place and the fields of the history', async () => {
  await change('earlier', { add: ['A'] });
  const stream = await follow();
  assert.equal(stream.status, 200);
  const { 'content-type': type, 'cache-control': cache, 'x-accel-buffering': buffering } = stream.headers;
  assert.deepEqual([type, cache, buffering], ['text/event-stream', 'no-store', 'no']);
  const { as_of } = await change('1000', { add: ['A', 'B'] });
  await change('1000', { remove: ['B'] });
  const [first, second, third] = await stream.count(3);
  const moment = Date.parse(as_of);
  const common = { user_id: '1000', at: as_of, operation: 'add', cause: 'request', actor: 'writer' };
  assert.deepEqual(first, { id: `${moment}:1:1000`, type: 'entry', data: { ...common, segment: 'A' } });
  assert.deepEqual(second, { id: `${moment}:2:1000`, type: 'entry', data: { ...common, segment: 'B' } });
  assert.deepEqual([third!.type, third!.data.operation, third!.data.segment], ['exit', 'remove', 'B']);
  assert.match(stream.text(), /^retry: 1000\n(:\nid: \d{13}\n\n)+event: entry\nid: /);
  stream.kill();
});

test('goes on behind a place, by Last-Event-ID or by after, of which the former is the newer', async () => {
  const stream = await follow();
  for (const userId of ['p1', 'p2', 'p3']) await change(userId, { add: ['A', 'B'] });
  const all = [...(await stream.count(6))];
  stream.kill();
  for (const [i, { id }] of all.entries()) {
    const after = encodeURIComponent(id);
    const byQuery = await follow(`?after=${after}`);
    const byHeader = await follow(`?after=${all[0]!.id}`, { 'last-event-id': id });
    for (const again of [byQuery, byHeader]) {
      const next = await change('pivot', { add: ['A'] });
      const rest = await again.count(all.length - i);
      assert.deepEqual(rest.slice(0, 5 - i), all.slice(i + 1));
      await until(() => again.events.some(({ data }) => data.at === next.as_of), 'what comes later');
      again.kill();
      await change('pivot', { remove: ['A'] });
    }
  }
  const empty = await follow('', { 'last-event-id': '' });
  assert.equal(empty.status, 200);
  empty.kill();
});

test('tells an end and a planned start at their moment, soon after it, though no request comes', async () => {
  const stream = await follow();
  const lasts = await change('t1', { add: ['A'], ttl_seconds: 1 });
  const startsAt = new Date(Date.parse(lasts.as_of) + 1500).toISOString();
  await change('t2', { add: ['B'], starts_at: startsAt });
  const [, ended, started] = await stream.count(3);
  assert.deepEqual(told([ended!, started!]), ['exit t1 remove A: ttl by writer', 'entry t2 add B: request by writer']);
  assert.deepEqual([Date.parse(ended!.data.at) - Date.parse(lasts.as_of), started!.data.at], [1000, startsAt]);
  const { rows } = await database.pool.query<{ now: number }>(`select clock_timestamp()::timestamptz(3) as now`);
  const lateMs = rows[0]!.now - Date.parse(startsAt);
  assert.ok(lateMs < 1000, `told ${lateMs} ms after its moment`);
  stream.kill();
});

test('of what a percentage or a deletion does there is one event, and a scheduled percentage comes by itself', async () => {
  const stream = await follow();
  await call('POST', '/v1/segments', { slug: 'S', percent: 12.5 });
  await change('s1', { add: ['S'] });
  const effectiveAt = new Date(Date.now() + 800).toISOString();
  assert.equal((await call('PATCH', '/v1/segments/S', { percent: 20, effective_at: effectiveAt })).status, 200);
  await stream.count(3);
  assert.equal((await call('DELETE', '/v1/segments/S')).status, 204);
  await change('s1', { add: ['A'] });
  const events = await stream.count(5);
  assert.deepEqual(told(events), [
    'segment S created 12.5 by writer',
    'entry s1 add S: request by writer',
    'segment S percent 20 by writer',
    'segment S deleted 0 by writer',
    'entry s1 add A: request by writer',
  ]);
  const [created, , percent] = events;
  assert.deepEqual([created!.data.ranges, percent!.data.ranges, percent!.data.at], [[[0, 1250]], [[0, 2000]], effectiveAt]);
  assert.match(created!.id, /^\d{13}:1:$/);
  stream.kill();
});

test('a filter leaves out the rest, and places go on all the same', async () => {
  const since = await follow();
  const from = since.lastId();
  since.kill();
  await call('POST', '/v1/segments', { slug: 'F', percent: 5 });
  await change('f1', { add: ['F', 'A'] });
  await change('f2', { add: ['F'] });
  await call('PATCH', '/v1/segments/F', { percent: 6 });
  await call('DELETE', '/v1/segments/F');
  await call('POST', '/v1/segments', { slug: 'F' });
  await change('f1', { remove: ['A'], add: ['F'] });
  const lines = {
    '&segment=F': [
      'segment F created 5 by writer',
      'entry f1 add F: request by writer',
      'entry f2 add F: request by writer',
      'segment F percent 6 by writer',
      'segment F deleted 0 by writer',
      'segment F created 0 by writer',
      'entry f1 add F: request by writer',
    ],
    '&user_id=f2': [
      'segment F created 5 by writer',
      'entry f2 add F: request by writer',
      'segment F percent 6 by writer',
      'segment F deleted 0 by writer',
      'segment F created 0 by writer',
    ],
    '&user_id=f1&segment=A': ['entry f1 add A: request by writer', 'exit f1 remove A: request by writer'],
  };
  for (const [query, expected] of Object.entries(lines)) {
    const stream = await follow(`?after=${from}${query}`);
    const events = await stream.count(expected.length);
    assert.deepEqual(told(events), expected, query);
    const before = stream.lastId();
    await until(() => stream.lastId() > before, 'the place to move on though nothing came');
    assert.equal(stream.events.length, expected.length);
    stream.kill();
  }
});

for (const [query, headers, path] of [
  ['?after=x', {}, 'after'],
  ['?after=', {}, 'after'],
  ['?after=1&after=2', {}, 'after'],
  ['?after=1:1', {}, 'after'],
  ['?after=1795428000000:1:1000:', { 'last-event-id': 'x' }, 'last-event-id'],
  ['?segment=-', {}, 'segment'],
  ['?user_id=a%20b', {}, 'user_id'],
  ['?since=1', {}, 'since'],
  ['', { accept: 'application/json' }, 'accept'],
  ['', { accept: 'text/event-stream;q=0, text/html' }, 'accept'],
] as [string, Record<string, string>, string][]) {
  test(`a stream of ${query} ${JSON.stringify(headers)} is refused for its ${path}`, async () => {
    const { status, body } = await as('read')('GET', `/v1/changes${query}`, undefined, headers);
    assert.deepEqual([status, body.code, body.errors[0].path], [400, 'invalid_request', path]);
  });
}

for (const accept of ['*/*', 'text/*', 'application/json, text/event-stream; q=0.5', 'TEXT/EVENT-STREAM']) {
  test(`Accept: ${accept} allows a stream`, async () => {
    const stream = await follow('', { accept });
    assert.equal(stream.status, 200);
    stream.kill();
  });
}

test('a slug that no segment ever bore is refused, before the place is looked at', async () => {
  const { status, body } = await as('read')('GET', '/v1/changes?segment=NEVER&after=1');
  assert.deepEqual([status, body.code], [404, 'segment_not_found']);
});

test('a HEAD has the headers of the stream and ends', async () => {
  const { statusCode, headers, payload } = await app.inject({
    method: 'HEAD',
    url: '/v1/changes',
    headers: { authorization: `Bearer ${keys.read}` },
  });
  assert.deepEqual([statusCode, headers['content-type'], payload], [200, 'text/event-stream', '']);
});

test('a place ahead of the database is gone', async () => {
  const { status, body } = await as('read')('GET', `/v1/changes?after=${Date.now() + 60_000}`);
  assert.deepEqual([status, body.code], [410, 'position_gone']);
});

test('while nothing happens a comment keeps the connection open, with a place that moves on', async () => {
  const stream = await follow();
  const first = stream.lastId();
  await until(() => stream.text().split('\n:\n').length > 3, 'comments');
  await until(() => Number(stream.lastId()) > Number(first), 'the place to move on');
  assert.deepEqual(stream.events, []);
  stream.kill();
});

test('a revoked key ends its streams, and no others', async () => {
  const admin = as('admin');
  const { key } = (await admin('POST', '/v1/keys', { name: 'to-go', scope: 'read' })).body;
  const [going, staying] = [await follow('', {}, key), await follow()];
  await admin('DELETE', '/v1/keys/to-go');
  await until(going.isEnded, 'the stream of the revoked key to end', 1_000);
  await change('k', { add: ['A'] });
  await staying.count(1);
  assert.equal(staying.isEnded(), false);
  staying.kill();
});

test('what the log no longer reaches back to is gone, also where planned starts and moved ends lie there', async () => {
  const stream = await follow();
  const place = stream.lastId();
  stream.kill();
  await change('g', { add: ['B'], ttl_seconds: 3600 });
  await change('g', { add: ['A'], starts_at: new Date(Date.now() + 600_000).toISOString() });
  await age(database, 2 * 3600);
  const behind = await follow(`?after=${Number(place) - 2 * 3600_000}`);
  const events = await behind.count(3);
  assert.deepEqual(told(events), [
    'entry g add B: request by writer',
    'entry g add A: request by writer',
    'exit g remove B: ttl by writer',
  ]);
  behind.kill();
  const house = houseOf(database);
  await house.tidy();
  const again = await follow(`?after=${Number(place) - 2 * 3600_000}`);
  assert.deepEqual((await again.count(3)).slice(0, 3), events.slice(0, 3));
  again.kill();

  await age(database, 24 * 3600);
  const { rows } = await database.pool.query<{ xmin: string }>(`select max(xid)::text as xmin from changes`);
  await until(async () => {
    const seen = await database.pool.query<{ past: boolean }>(
      `select pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 as past`,
      [rows[0]!.xmin],
    );
    return seen.rows[0]!.past;
  }, 'older transactions to end');
  await house.tidy();
  const refused = await follow(`?after=${Number(place) - 26 * 3600_000}`);
  await until(refused.isEnded, 'a refusal');
  assert.deepEqual([refused.status, (JSON.parse(refused.text()) as { code: string }).code], [410, 'position_gone']);
  assert.equal((await database.pool.query('select from planned_starts')).rowCount, 0);
});

test('a key that is revoked while its stream is being opened ends it', async () => {
  const admin = as('admin');
  const { key } = (await admin('POST', '/v1/keys', { name: 'brief', scope: 'read' })).body as { key: string };
  const holder = await database.connect();
  await holder.query(`select pg_advisory_lock(hashtext('settled'))`);
  const opening = follow('', {}, key);
  await until(async () => /^segmentd_requests_under_way 1$/m.test((await as('read')('GET', '/metrics')).text), 'the request');
  assert.equal((await admin('DELETE', '/v1/keys/brief')).status, 204);
  await holder.end();
  const stream = await opening;
  await until(() => stream.isEnded(), 'the end of the stream');
});
