import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { age, earlier } from '../../test/support/aging.ts';
import { type Answer, startApp } from '../../test/support/app.ts';

const { as, call, database } = await startApp();

const get = (path: string) => as('read')('GET', `/v1/users/${path}`);
const historyOf = async (userId: string, query: string) => {
  const { status, text, body } = await get(`${userId}/history?${query}`);
  assert.equal(status, 200, text);
  return body;
};
const brief = (body: Answer['body']): string[] =>
  body.events.map(({ at, operation, segment }: Record<string, string>) => `${at} ${operation} ${segment}`);
const changed = async (userId: string, body: object, by = call) => (await by('PATCH', `/v1/users/${userId}/segments`, body)).body;
const segment = async (slug: string, percent = 0, by = call) => (await by('POST', '/v1/segments', { slug, percent })).body;
const momentOf = ({ headers }: Answer) => new Date(Math.floor(Number(headers.revision) / 1000)).toISOString();
const refusal = ({ status, body }: Answer) => [status, body.code, body.errors];

/** A stay as it would lie there if it had been recorded at its time. */
const record = (userId: string, slug: string, from: string, to: string) =>
  database.pool.query(
    `insert into past_memberships select $1, segment_id, $3, $4, $3, false, 'beginner', 'import', 'ender', 'request' from segments where slug = $2`,
    [userId, slug, from, to],
  );

before(async () => {
  for (const slug of ['A', 'B', 'C', 'D']) await segment(slug);
  await database.pool.query(`update segments set created_at = '2020-01-01', updated_at = '2020-01-01'`);
  await database.pool.query(`update rollouts set from_at = '2020-01-01'`);
  await database.pool.query(`update definitions set version = version + 1`);
  // In UTC the month is left by a millisecond; in New York it begins in summer time and ends in winter time.
  await record('past', 'A', '2025-11-01T00:00:00.000Z', '2025-12-01T00:00:00.000Z');
  await record('past', 'B', '2025-10-31T23:59:59.999Z', '2025-11-30T23:59:59.999Z');
  await record('past', 'C', '2025-11-01T03:59:59.999Z', '2025-12-01T04:59:59.999Z');
  await record('past', 'D', '2025-11-01T04:00:00.000Z', '2025-12-01T05:00:00.000Z');
});

const [a, b, c, d] = [
  ['2025-11-01T00:00:00.000Z add A', '2025-12-01T00:00:00.000Z remove A'],
  ['2025-10-31T23:59:59.999Z add B', '2025-11-30T23:59:59.999Z remove B'],
  ['2025-11-01T03:59:59.999Z add C', '2025-12-01T04:59:59.999Z remove C'],
  ['2025-11-01T04:00:00.000Z add D', '2025-12-01T05:00:00.000Z remove D'],
] as const;

for (const [query, from, to, events] of [
  ['month=2025-11', '2025-11-01T00:00:00.000Z', '2025-12-01T00:00:00.000Z', [a[0], c[0], d[0], b[1]]],
  ['month=2025-12&timezone=UTC', '2025-12-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', [a[1], c[1], d[1]]],
  ['month=2025-11&timezone=America/New_York', '2025-11-01T04:00:00.000Z', '2025-12-01T05:00:00.000Z', [d[0], b[1], a[1], c[1]]],
  ['month=2025-11&timezone=America%2FHavana', '2025-11-01T04:00:00.000Z', '2025-12-01T05:00:00.000Z', [d[0], b[1], a[1], c[1]]],
  ['month=2025-10&timezone=Europe/Amsterdam', '2025-09-30T22:00:00.000Z', '2025-10-31T23:00:00.000Z', []],
  ['month=2025-11&timezone=Asia/Kolkata', '2025-10-31T18:30:00.000Z', '2025-11-30T18:30:00.000Z', [b[0], a[0], c[0], d[0]]],
  // Midnight of the 1st did not exist there: the clocks went on to 01:00.
  ['month=2023-10&timezone=America/Asuncion', '2023-10-01T04:00:00.000Z', '2023-11-01T03:00:00.000Z', []],
  ['from=2025-11-01T00:00:00Z&to=2025-11-01T03:59:59.999Z', '2025-11-01T00:00:00.000Z', '2025-11-01T03:59:59.999Z', [a[0]]],
  ['from=2025-11-01T00:00:00.001Z&to=2025-11-01T04:00:00Z', '2025-11-01T00:00:00.001Z', '2025-11-01T04:00:00.000Z', [c[0]]],
  [
    'from=2025-11-30T23:59:59.999Z&to=2025-12-01T01:00:00%2B01:00',
    '2025-11-30T23:59:59.999Z',
    '2025-12-01T00:00:00.000Z',
    [b[1]],
  ],
] as [string, string, string, string[]][]) {
  test(`the history of ${query} holds what happened from its first instant up to, but not in, its end`, async () => {
    const body = await historyOf('past', query);
    assert.deepEqual([body.from, body.to, brief(body), body.next_cursor], [from, to, events, null]);
  });
}

test('each event has its cause and who is behind it, whether by hand, by time, by percentage or by deletion', async () => {
  const admin = as('admin');
  for (const slug of ['h-hand', 'h-ttl', 'h-dead', 'h-none']) await segment(slug);
  const rate = await segment('h-rate', 100, admin);
  const added = await changed('h', { add: ['h-hand', 'h-ttl', 'h-dead', 'h-rate'] });
  const ttl = await changed('h', { add: ['h-ttl'], ttl_seconds: 60 }, admin);
  await age(database, 120);
  const removed = await changed('h', { remove: ['h-hand', 'h-none'] }, admin);
  const deleted = momentOf(await admin('DELETE', '/v1/segments/h-dead'));
  const lowered = momentOf(await call('PATCH', '/v1/segments/h-rate', { percent: 0 }));
  const out = await changed('h', { remove: ['h-rate'] });
  const raised = momentOf(await admin('PATCH', '/v1/segments/h-rate', { percent: 100 }));
  await changed('h', { add: ['h-none'], ttl_seconds: 3600 });
  const body = await historyOf('h', `from=${earlier(rate.created_at, 120)}&to=2999-01-01T00:00:00Z`);
  const event = (at: string, segment: string, operation: string, cause: string, actor: string) => ({
    at,
    segment,
    operation,
    cause,
    actor,
  });
  const start = earlier(added.as_of, 120);
  assert.deepEqual(body.events.slice(0, -1), [
    event(earlier(rate.created_at, 120), 'h-rate', 'add', 'rollout', 'admin'),
    event(start, 'h-dead', 'add', 'request', 'writer'),
    event(start, 'h-hand', 'add', 'request', 'writer'),
    event(start, 'h-ttl', 'add', 'request', 'writer'),
    event(earlier(ttl.as_of, 60), 'h-ttl', 'remove', 'ttl', 'admin'),
    event(removed.as_of, 'h-hand', 'remove', 'request', 'admin'),
    event(deleted, 'h-dead', 'remove', 'segment_deleted', 'admin'),
    event(out.as_of, 'h-rate', 'remove', 'request', 'writer'),
    event(raised, 'h-rate', 'add', 'rollout', 'admin'),
  ]);
  assert.ok(lowered < out.as_of, 'at percent 0 the membership by hand held');
  assert.equal(body.events.at(-1).segment, 'h-none', 'an end to come is foreseen, and so not in the history');
  await admin('DELETE', '/v1/segments/h-rate');
});

test('a history holds all that was acknowledged before it was asked for, and says up to where it is complete', async () => {
  const { as_of: from } = await changed('now', { add: ['A'] });
  for (let i = 2; i < 10; i++) {
    const { as_of } = await changed('now', i % 2 === 0 ? { remove: ['A'] } : { add: ['A'] });
    const body = await historyOf('now', `from=${from}&to=2999-01-01T00:00:00Z`);
    assert.deepEqual([body.events.length, body.events.at(-1).at], [i, as_of]);
    assert.ok(body.to > as_of && body.to < new Date(Date.now() + 60_000).toISOString(), body.to);
  }
  assert.deepEqual((await historyOf('now', 'month=2999-01')).events, []);
});

test('pages follow each other in time order, within a moment removes first and then by slug, and end where the first did', async () => {
  for (const slug of ['p-a', 'p-b', 'p-c', 'p-d', 'p-e']) await segment(slug);
  const first = await changed('pages', { add: ['p-d', 'p-b'] });
  const second = await changed('pages', { add: ['p-e', 'p-a', 'p-c'], remove: ['p-d', 'p-b'] });
  const period = `from=${first.as_of}&to=2999-01-01T00:00:00Z`;
  const expected = [
    ...['add p-b', 'add p-d'].map((event) => `${first.as_of} ${event}`),
    ...['remove p-b', 'remove p-d', 'add p-a', 'add p-c', 'add p-e'].map((event) => `${second.as_of} ${event}`),
  ];
  for (const limit of [1, 2, 3, 7]) {
    let page = await historyOf('pages', `${period}&limit=${limit}`);
    const { to } = page;
    const events = brief(page);
    await changed('pages', { add: ['A'] });
    await changed('pages', { remove: ['A'] });
    while (page.next_cursor) {
      assert.equal(page.events.length, limit);
      assert.ok(events.length < 50, 'the pages come to an end');
      page = await historyOf('pages', `${period}&limit=${limit}&cursor=${page.next_cursor}`);
      assert.equal(page.to, to);
      events.push(...brief(page));
    }
    assert.deepEqual(
      events.filter((event) => !event.endsWith(' A')),
      expected,
      `${limit} a page`,
    );
    assert.ok(events.every((event) => event < to));
  }
});

const monthRule = 'must be a month as YYYY-MM, from 1970-01';
const zone = (name: string) => `must be an IANA time zone such as Europe/Amsterdam; got "${name}".`;
for (const [query, path, message] of [
  ...['2025-13', '2025-00', '2025-1', '202511', '25-11', '1969-12', '2025-11-01', '', 'November'].map((month) => [
    `month=${month}`,
    'month',
    `${monthRule}; got "${month}".`,
  ]),
  ...['Mars/Olympus', 'UTC%2B3', '%2B03:00', 'Europe', 'PST', ''].map((name) => [
    `month=2025-11&timezone=${name}`,
    'timezone',
    zone(decodeURIComponent(name)),
  ]),
  ['month=2025-11&from=2025-11-01T00:00:00Z', 'month', 'cannot be given together with from or to.'],
  ['month=2025-11&to=2025-11-02T00:00:00Z', 'month', 'cannot be given together with from or to.'],
  ['month=2025-11&month=2025-12', 'month', 'must be given once; got 2 times.'],
  ['', 'from', 'is missing: give month, or from and to.'],
  ['to=2025-11-02T00:00:00Z', 'from', 'is missing: give month, or from and to.'],
  ['from=2025-11-02T00:00:00Z', 'to', 'is missing: give month, or from and to.'],
  ['from=2025-11-02T00:00:00Z&to=2025-11-02T01:00:00%2B01:00', 'to', 'must be after from; got 2025-11-02T01:00:00+01:00.'],
  ['from=2025-11-01T00:00:00Z&to=2025-12-01T00:00:00Z&timezone=UTC', 'timezone', 'bounds a month: it needs month.'],
  ['month=2025-11&limit=0', 'limit', 'must be >= 1; got 0.'],
  ['month=2025-11&limit=10001', 'limit', 'must be <= 10000; got 10001.'],
  ['month=2025-11&cursor=x', 'cursor', 'must be the next_cursor of the page before; got "x".'],
  [
    'month=2025-11&cursor=WzEsIm1vdmUiLCJBIiwxXQ',
    'cursor',
    'must be the next_cursor of the page before; got "WzEsIm1vdmUiLCJBIiwxXQ".',
  ],
  ['month=2025-11&segment=A', 'segment', 'is not a known parameter.'],
] as [string, string, string][]) {
  test(`a history with ?${query} is refused`, async () => {
    assert.deepEqual(refusal(await get(`past/history?${query}`)), [400, 'invalid_request', [{ path, message }]]);
  });
}
