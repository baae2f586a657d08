import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { createClient, type Happening } from '../../client/src/index.ts';
import { until } from '../support/service.ts';
import { recordingFetch, startClient } from './calling.ts';

const { client, call, url, keys, connect } = await startClient({ streams: { restMs: 100 } });

before(async () => {
  for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
});

const told = (happening: Happening) =>
  happening.type === 'segment'
    ? `${happening.slug} ${happening.change}`
    : `${happening.user_id} ${happening.type} ${happening.segment}`;

/** Follows until so many events came, making what is to be told once the stream stands. */
async function follow(
  of: Pick<typeof client, 'follow'>,
  count: number,
  cause: () => Promise<unknown>,
  query: Parameters<typeof client.follow>[0] = {},
): Promise<Happening[]> {
  const events: Happening[] = [];
  let caused: Promise<unknown> | undefined;
  const onPosition = () => void (caused ??= cause());
  for await (const event of of.follow(query, { onPosition })) if (events.push(event) === count) break;
  await caused;
  return events;
}

test('tells what happens from now on, with the fields of the history and its place', async () => {
  const events = await follow(client, 3, async () => {
    await call('PATCH', '/v1/users/1/segments', { add: ['A'] });
    await call('PATCH', '/v1/users/1/segments', { remove: ['A'] });
    await call('POST', '/v1/segments', { slug: 'MADE', percent: 10 });
  });
  assert.deepEqual(events.map(told), ['1 entry A', '1 exit A', 'MADE created']);
  const [entry, , segment] = events;
  const { position, at, ...rest } = entry!;
  assert.deepEqual(rest, { type: 'entry', user_id: '1', segment: 'A', operation: 'add', cause: 'request', actor: 'writer' });
  assert.equal(position, `${Date.parse(at)}:1:1`);
  assert.deepEqual(Object.keys(segment!).toSorted(), ['actor', 'at', 'change', 'percent', 'position', 'ranges', 'slug', 'type']);
});

test('goes on behind a place, for one user or one segment', async () => {
  const [first] = await follow(client, 1, () => call('PATCH', '/v1/users/2/segments', { add: ['A', 'B'] }));
  await call('PATCH', '/v1/users/3/segments', { add: ['B'] });
  const after = first!.position;
  const nothing = async () => {};
  assert.deepEqual((await follow(client, 2, nothing, { after })).map(told), ['2 entry B', '3 entry B']);
  assert.deepEqual((await follow(client, 1, nothing, { after, user_id: '3' })).map(told), ['3 entry B']);
  assert.deepEqual((await follow(client, 2, nothing, { after, segment: 'B' })).map(told), ['2 entry B', '3 entry B']);
});

test('a stream that breaks is taken up where it was: no gap and no repeat', async (t) => {
  t.mock.method(Math, 'random', () => 0); // no wait
  const [first] = await follow(client, 1, () => call('PATCH', '/v1/users/cut/segments', { add: ['A'] }));
  const users = Array.from({ length: 40 }, (_, i) => `cut-${i}`);
  for (const userId of users) await call('PATCH', `/v1/users/${userId}/segments`, { add: ['A'] });
  let cuts = 0;
  const breaking: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    // Somewhere else each time, mostly in the middle of an event.
    let left = 300 + 37 * (cuts % 10);
    const cutting = new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        controller.enqueue(piece.subarray(0, left));
        left -= piece.length;
        if (left > 0) return;
        if (++cuts % 2 === 0) controller.error(new TypeError('terminated'));
        else controller.terminate();
      },
    });
    return new Response(answer.body!.pipeThrough(cutting), answer);
  };
  const cut = createClient({ url, key: keys.read, fetch: breaking });
  const events = await follow(cut, users.length, async () => {}, { after: first!.position });
  assert.deepEqual(
    events.map(told),
    users.map((userId) => `${userId} entry A`),
  );
  assert.ok(cuts > 10, `cut ${cuts} times`);
});

test('what may pass is waited for, what will not is told', async (t) => {
  t.mock.method(Math, 'random', () => 0); // no wait
  let failures = 3;
  const { fetch, sent } = recordingFetch(() =>
    failures-- > 0 ? new Response('<h1>Bad gateway</h1>', { status: 502 }) : undefined,
  );
  const patient = createClient({ url, key: keys.read, fetch });
  assert.equal((await follow(patient, 1, () => call('PATCH', '/v1/users/4/segments', { add: ['A'] }))).length, 1);
  assert.equal(sent.length, 4);
  const next = (of: typeof client, query: Parameters<typeof client.follow>[0] = {}) => of.follow(query).next();
  await assert.rejects(next(client, { after: '9999999999999' }), { code: 'position_gone', status: 410 });
  await assert.rejects(next(client, { after: 'x' }), { code: 'invalid_request' });
  await assert.rejects(next(client, { segment: 'NO_SUCH' }), { code: 'segment_not_found' });
  await assert.rejects(next(connect({ key: 'none' }).client), { code: 'unauthorized' });
  await assert.rejects(next(connect({ url: `${url}/elsewhere` }).client), { code: 'route_not_found' });
});

test('what the caller throws at a place is told, and not taken for a stream that broke', async () => {
  const onPosition = () => {
    throw new Error('the disk is full');
  };
  await assert.rejects(client.follow({}, { onPosition, signal: AbortSignal.timeout(10_000) }).next(), /the disk is full/);
});

test('ends with its signal while it waits, and hangs up when the loop is left', async () => {
  const signals: (AbortSignal | null | undefined)[] = [];
  const watched = createClient({
    url,
    key: keys.read,
    fetch(input, init) {
      signals.push(init?.signal);
      return fetch(input, init);
    },
  });
  const leaving = new AbortController();
  let positions = 0;
  const following = watched.follow({}, { signal: leaving.signal, onPosition: () => positions++ }).next();
  await until(() => positions >= 2, 'places of a quiet time');
  leaving.abort(new Error('gone'));
  await assert.rejects(following, /^Error: gone$/);
  await assert.rejects(watched.follow({}, { signal: leaving.signal }).next(), /^Error: gone$/);
  await follow(watched, 1, () => call('PATCH', '/v1/users/5/segments', { add: ['A'] }));
  assert.deepEqual(
    signals.map((signal) => signal?.aborted),
    [true, true],
  );
});
