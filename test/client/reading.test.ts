import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { createClient, UnreachableError } from '../../client/src/index.ts';
import { recordingFetch, startClient } from './calling.ts';

const { client, sent, url, keys, connect, call } = await startClient();

const unavailable = () => Promise.reject(new TypeError('fetch failed'));
const asked = (body: unknown) => (body as { user_ids: string[] }).user_ids;
const least = (body: unknown) => (body as { min_revision?: string }).min_revision;

before(async () => {
  for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
  await call('PATCH', '/v1/users/7/segments', { add: ['A'] });
});

test('a thousand questions of one tick are one request, and each has its own answer', async () => {
  sent.length = 0;
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => client.isIn(String(i), 'A')));
  assert.deepEqual(
    sent.map(({ method, path }) => `${method} ${path}`),
    ['POST /v1/lookup'],
  );
  assert.deepEqual(
    answers.flatMap((isIn, i) => (isIn ? [i] : [])),
    [7],
  );
});

test('a user is asked about once however many ask, also after an await in the same tick', async () => {
  sent.length = 0;
  const later = Promise.resolve().then(() => client.isIn('7', 'B'));
  const all = await Promise.all([client.isIn('7', 'A'), client.segmentsOf('7'), later, client.lookup(['7', '8', '7'])]);
  assert.deepEqual(
    sent.map(({ body }) => asked(body)),
    [['7', '8']],
  );
  assert.deepEqual(
    all[3].map(({ user_id, segments }) => [user_id, segments]),
    [
      ['7', ['A']],
      ['8', []],
      ['7', ['A']],
    ],
  );
});

test('more than a thousand users are asked about a thousand at a time', async () => {
  sent.length = 0;
  const users = Array.from({ length: 2_500 }, (_, i) => `m${i}`);
  const found = await client.lookup(users);
  assert.deepEqual(
    sent.map(({ body }) => asked(body).length),
    [1_000, 1_000, 500],
  );
  assert.deepEqual(
    found.map(({ user_id }) => user_id),
    users,
  );
});

test('questions that differ in how new the answer must be are not mixed', async () => {
  const { revision } = await client.segmentsOf('7');
  sent.length = 0;
  await Promise.all([
    client.isIn('1', 'A'),
    client.isIn('2', 'A', { last_revision: true }),
    client.isIn('3', 'A', { min_revision: revision }),
  ]);
  assert.deepEqual(
    sent.map(({ body }) => body),
    [{ user_ids: ['1'] }, { user_ids: ['2'], last_revision: true }, { user_ids: ['3'], min_revision: revision }],
  );
});

test("nobody's question fails for another's bad id or bad revision", async () => {
  const [good, ...bad] = await Promise.allSettled([
    client.isIn('7', 'A'),
    client.isIn('a b', 'A'),
    client.isIn('', 'A'),
    client.isIn('7', 'A', { min_revision: 'x' }),
  ]);
  assert.deepEqual(good, { status: 'fulfilled', value: true });
  for (const one of bad) assert.equal((one as { reason?: { code: string } }).reason?.code, 'invalid_request');
});

test('who gives up is let go at once, and the others still have their answer', async () => {
  const [one, both] = [new AbortController(), new AbortController()];
  const gone = client.isIn('7', 'A', {}, { signal: one.signal });
  const stays = client.isIn('7', 'A');
  one.abort(new Error('no more'));
  await assert.rejects(gone, /no more/);
  assert.equal(await stays, true);
  await assert.rejects(client.isIn('7', 'A', {}, { signal: one.signal }), /no more/);

  const requests: (AbortSignal | null | undefined)[] = [];
  const hanging = createClient({
    url,
    key: keys.read,
    fetch: (_, init) => {
      requests.push(init?.signal);
      return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted'))));
    },
  });
  const all = ['1', '2'].map((userId) => hanging.isIn(userId, 'A', {}, { signal: both.signal }));
  await new Promise((resolve) => setImmediate(resolve));
  both.abort(new Error('nobody waits'));
  for (const call of all) await assert.rejects(call, /nobody waits/);
  assert.deepEqual(
    requests.map((signal) => signal?.aborted),
    [true],
    'the request goes when nobody waits for it',
  );
});

test('who asks in the tick in which all who asked before have given up has an answer', async () => {
  const leaving = new AbortController();
  const gone = client.isIn('7', 'A', {}, { signal: leaving.signal });
  leaving.abort(new Error('no more'));
  const answers = Promise.all([client.isIn('7', 'A'), client.isIn('8', 'A', {}, { signal: new AbortController().signal })]);
  await assert.rejects(gone, /no more/);
  assert.deepEqual(await answers, [true, false]);
});

test('after a change the client asks for at least that, of that user', async () => {
  const { client, sent } = connect();
  const { revision } = await client.change('own', { add: ['A'] });
  sent.length = 0;
  assert.equal(await client.isIn('own', 'A'), true);
  await client.isIn('other', 'A');
  await Promise.all([client.isIn('other', 'A'), client.isIn('own', 'A')]);
  assert.deepEqual(
    sent.map(({ body }) => least(body)),
    [revision, undefined, revision],
  );
});

test('after a change of a segment it asks for at least that, of anybody', async () => {
  const { client, sent } = connect();
  const made = await client.segments.create({ slug: 'OWN', percent: 100 });
  assert.equal(await client.isIn('anybody', 'OWN'), true);
  const first = least(sent.at(-1)!.body)!;
  assert.ok(Number(first) / 1000 >= Date.parse(made.created_at), first);
  await client.segments.change('OWN', { percent: 50 });
  await client.segments.change('OWN', { percent: 100, effective_at: '2030-01-01T00:00:00Z' });
  await client.isIn('anybody', 'OWN');
  const second = least(sent.at(-1)!.body)!;
  await client.segments.cancelScheduled('OWN', String(Date.parse('2030-01-01T00:00:00Z')));
  await client.isIn('anybody', 'OWN');
  const third = least(sent.at(-1)!.body)!;
  await client.segments.delete('OWN');
  assert.equal(await client.isIn('anybody', 'OWN'), false);
  const fourth = least(sent.at(-1)!.body)!;
  assert.ok(first < second && second < third && third < fourth, [first, second, third, fourth].join());
});

test('where nothing answers, what was last known will do if asked for, with its age, until it is too old', async () => {
  let isDown = false;
  const { sent, fetch } = recordingFetch();
  const client = createClient({
    url,
    key: keys.write,
    retries: 0,
    fetch: (input, init) => (isDown ? unavailable() : fetch(input, init)),
  });
  const lastKnown = { maxAgeSeconds: 60 };
  const before = await client.segmentsOf('7', {}, { lastKnown });
  assert.equal(before.is_last_known, false);
  await client.isIn('forgotten', 'A');
  isDown = true;
  const after = await client.segmentsOf('7', {}, { lastKnown });
  assert.deepEqual(
    [after.segments, after.as_of, after.revision, after.is_last_known],
    [before.segments, before.as_of, before.revision, true],
  );
  assert.ok(after.age_seconds > before.age_seconds && after.age_seconds < 60, String(after.age_seconds));
  assert.equal(await client.isIn('7', 'A', {}, { lastKnown }), true);

  const refused = [
    client.segmentsOf('7'), // not asked for
    client.segmentsOf('7', {}, { lastKnown: { maxAgeSeconds: 0 } }),
    client.segmentsOf('7', { last_revision: true }, { lastKnown }),
    client.segmentsOf('7', { min_revision: '999999999999999999' }, { lastKnown }),
    client.segmentsOf('8', {}, { lastKnown }), // never asked about
    client.segmentsOf('forgotten', {}, { lastKnown }), // asked about without the wish
  ];
  for (const call of refused) await assert.rejects(call, UnreachableError);

  isDown = false;
  await client.change('7', { add: ['B'] });
  isDown = true;
  await assert.rejects(client.segmentsOf('7', {}, { lastKnown }), UnreachableError, 'what lacks the own change');
  await assert.rejects(client.isIn('x y', 'A', {}, { lastKnown }), UnreachableError);
  assert.equal(sent.length, 3);
});

test('what was last known stands for the revision that it was asked with, not for the one that came with it', async () => {
  // As a process does that has heard of another user's change, and not yet of one before it of user 1.
  const answer = () => Response.json({ users: [{ segments: ['OLD'] }, { segments: [] }], as_of: '', revision: '50' });
  let answering: () => Response | Promise<Response> = answer;
  const client = createClient({
    url,
    key: 'k',
    retries: 0,
    lastKnown: { maxAgeSeconds: 60 },
    fetch: async (_, init) => (init?.method === 'PATCH' ? Response.json({ revision: '40' }) : answering()),
  });
  const isKept = async (query: object) => {
    answering = unavailable;
    const kept = await client.segmentsOf('1', query).catch(() => undefined);
    answering = answer;
    return kept?.is_last_known === true;
  };
  await client.lookup(['1', '2']);
  assert.deepEqual([await isKept({}), await isKept({ min_revision: '40' })], [true, false]);
  await client.lookup(['1', '2'], { min_revision: '40' });
  assert.deepEqual([await isKept({ min_revision: '40' }), await isKept({ min_revision: '41' })], [true, false]);

  const asking = client.lookup(['1', '2']); // sent before the change is acknowledged, answered after
  let release!: (response: Response) => void;
  answering = () => new Promise((resolve) => (release = resolve));
  await new Promise((resolve) => setImmediate(resolve));
  await client.change('1', { add: ['A'] });
  release(answer());
  await asking;
  assert.equal(await isKept({}), false, 'what may lack the own change');
  answering = answer;
  await client.lookup(['1', '2'], { last_revision: true, min_revision: '60' });
  assert.deepEqual([await isKept({}), await isKept({ min_revision: '60' })], [true, false], 'which was not asked for');
});

test('a refusal is no silence: what was last known is not given then', async () => {
  let status = 200;
  const { fetch } = recordingFetch(() =>
    status === 200
      ? undefined
      : Response.json({ code: status === 401 ? 'unauthorized' : 'stale_read_refused', request_id: 'r', status }, { status }),
  );
  const client = createClient({ url, key: keys.read, fetch, retries: 0, lastKnown: { maxAgeSeconds: 60 } });
  await client.isIn('7', 'A');
  status = 503;
  assert.equal((await client.segmentsOf('7')).is_last_known, true);
  status = 401;
  await assert.rejects(client.segmentsOf('7'), { code: 'unauthorized' });
});
