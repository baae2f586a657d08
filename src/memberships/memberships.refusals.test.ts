import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startApp } from '../../test/support/app.ts';

const { as, call, database } = await startApp();

const change = (userId: string, body: unknown, by = call) => by('PATCH', `/v1/users/${userId}/segments`, body);

before(async () => {
  for (const slug of ['A', 'B', 'C']) assert.equal((await call('POST', '/v1/segments', { slug })).status, 201);
  assert.equal((await change('steady', { add: ['A'] })).status, 200);
});

const moment = 'must be an RFC 3339 moment in whole milliseconds up to the year 9999, for example 2026-11-23T10:00:00.000Z';
const slugRule = 'must be 1 to 128 of A-Z a-z 0-9 _ . -, starting with a letter or digit';
const slugs = (count: number) => Array.from({ length: count }, (_, i) => `s${i}`);

for (const [what, body, ...faults] of [
  ['nothing', {}, '', 'Name at least one slug in add or in remove.'],
  ['empty lists', { add: [], remove: [] }, '', 'Name at least one slug in add or in remove.'],
  ['an end alone', { ttl_seconds: 60 }, '', 'Name at least one slug in add or in remove.'],
  ['a slug twice in add', { add: ['B', 'B'] }, 'add/1', 'B is named already in add/0.'],
  ['a slug twice in remove', { remove: ['A', 'B', 'A'] }, 'remove/2', 'A is named already in remove/0.'],
  ['a slug in both lists', { add: ['C', 'B'], remove: ['A', 'B'] }, 'remove/1', 'B is named already in add/1.'],
  ['1,001 slugs in a list', { remove: slugs(1001) }, 'remove', 'must have at most 1000 items; got a list of 1001.'],
  [
    '1,001 slugs in both',
    { add: slugs(1000), remove: ['A'] },
    '',
    'Name at most 1000 slugs in add and remove together; got 1001.',
  ],
  ['a slug that is no list', { add: 'B' }, 'add', 'must be array; got "B".'],
  ['a number for a slug', { add: ['B', 5] }, 'add/1', 'must be string; got 5.'],
  ['what can be no slug', { remove: ['A', 'a b'] }, 'remove/1', `${slugRule}; got "a b".`],
  ['null for a list', { add: null, remove: ['A'] }, 'add', 'must be array; got null.'],
  ['an end for removes', { remove: ['A'], ttl_seconds: 60 }, 'ttl_seconds', 'is the end of what is added: it needs add.'],
  [
    'an expiry for removes',
    { remove: ['A'], expires_at: '2999-01-01T00:00:00Z' },
    'expires_at',
    'is the end of what is added: it needs add.',
  ],
  [
    'two ends',
    { add: ['B'], ttl_seconds: 60, expires_at: '2999-01-01T00:00:00Z' },
    'expires_at',
    'cannot be given together with ttl_seconds.',
  ],
  ['a TTL of 0', { add: ['B'], ttl_seconds: 0 }, 'ttl_seconds', 'must be >= 1; got 0.'],
  ['a part of a second', { add: ['B'], ttl_seconds: 1.5 }, 'ttl_seconds', 'must be integer; got 1.5.'],
  ['a TTL in a text', { add: ['B'], ttl_seconds: '60' }, 'ttl_seconds', 'must be integer; got "60".'],
  [
    'a TTL past the year 9999',
    { add: ['B'], ttl_seconds: 251_640_000_000 },
    'ttl_seconds',
    /^must end within the year 9999, so be at most \d+; got [\d.e+]+\.$/,
  ],
  [
    'a TTL beyond all time',
    { add: ['B'], ttl_seconds: 1e300 },
    'ttl_seconds',
    /^must end within the year 9999, so be at most \d+; got [\d.e+]+\.$/,
  ],
  [
    'an end in the past',
    { add: ['B'], expires_at: '2020-01-01T03:00:00+03:00' },
    'expires_at',
    'must lie in the future; got 2020-01-01T00:00:00.000Z.',
  ],
  ['an end that is no moment', { add: ['B'], expires_at: '2999-01-01' }, 'expires_at', `${moment}; got "2999-01-01".`],
  [
    'a day that does not exist',
    { add: ['B'], expires_at: '2999-02-29T00:00:00Z' },
    'expires_at',
    `${moment}; got "2999-02-29T00:00:00Z".`,
  ],
  [
    'a part of a millisecond',
    { add: ['B'], expires_at: '2999-01-01T00:00:00.0001Z' },
    'expires_at',
    `${moment}; got "2999-01-01T00:00:00.0001Z".`,
  ],
  [
    'an end past the year 9999',
    { add: ['B'], expires_at: '9999-12-31T23:59:59-01:00' },
    'expires_at',
    `${moment}; got "9999-12-31T23:59:59-01:00".`,
  ],
  [
    'a start in the past',
    { add: ['B'], starts_at: '2020-01-01T00:00:00Z' },
    'starts_at',
    'must lie in the future; got 2020-01-01T00:00:00.000Z.',
  ],
  [
    'an end before the start',
    { add: ['B'], starts_at: '2999-01-02T00:00:00Z', expires_at: '2999-01-01T00:00:00Z' },
    'expires_at',
    'must lie after starts_at, 2999-01-02T00:00:00.000Z; got 2999-01-01T00:00:00.000Z.',
  ],
  [
    'a start of nothing',
    { remove: ['A'], starts_at: '2999-01-01T00:00:00Z' },
    'starts_at',
    'is the start of what is added: it needs add.',
  ],
  [
    'room made for nothing',
    { remove: ['A'], replace_in_group: true },
    'replace_in_group',
    'makes room for what is added: it needs add.',
  ],
  [
    'room made at a moment to come',
    { add: ['B'], replace_in_group: true, starts_at: '2999-01-01T00:00:00Z' },
    'replace_in_group',
    'cannot be given together with starts_at: end the present one with expires_at, then plan.',
  ],
  ['a slug that does not live', { add: ['B', 'NOPE'], remove: ['A'] }, 'add/1', 'There is no segment NOPE.'],
] as [string, object, string, string | RegExp][]) {
  test(`${what} is refused, and nothing of the request is done`, async () => {
    const rows = async () =>
      (
        await database.pool.query(
          `select m.*, u.revision from users u left join memberships m using (user_id) where user_id = 'steady'`,
        )
      ).rows;
    const before = await rows();
    const { status, body: problem } = await change('steady', body);
    const [path, message] = faults;
    assert.deepEqual(
      [status, problem.code],
      message === 'There is no segment NOPE.' ? [404, 'segment_not_found'] : [400, 'invalid_request'],
    );
    assert.equal(problem.errors.length, 1, JSON.stringify(problem.errors));
    assert.equal(problem.errors[0].path, path);
    if (typeof message === 'string') assert.equal(problem.errors[0].message, message);
    else assert.match(problem.errors[0].message, message);
    assert.deepEqual(await rows(), before);
  });
}

test('every slug that does not live is told, with its place', async () => {
  await call('POST', '/v1/segments', { slug: 'dead' });
  await call('DELETE', '/v1/segments/dead');
  const [add, remove] = [
    [...slugs(30), 'A'],
    ['B', 'dead', 'a'],
  ];
  const { status, body } = await change('u9', { add, remove });
  assert.equal(status, 404);
  const expected = [
    ...slugs(30).map((slug, i) => ({ path: `add/${i}`, slug })),
    { path: 'remove/1', slug: 'dead' },
    { path: 'remove/2', slug: 'a' },
  ];
  assert.deepEqual(
    body.errors,
    expected.map(({ path, slug }) => ({ path, message: `There is no segment ${slug}.` })),
  );
  assert.deepEqual((await database.pool.query(`select from users where user_id = 'u9'`)).rowCount, 0);
});

test('a key that may only read changes nobody', async () => {
  const { status, body } = await change('steady', { remove: ['A'] }, as('read'));
  assert.deepEqual([status, body.code], [403, 'forbidden']);
  assert.deepEqual((await call('GET', '/v1/users/steady/segments')).body.segments, ['A']);
});
