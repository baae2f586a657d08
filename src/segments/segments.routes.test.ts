import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, startApp } from '../../test/support/app.ts';

const { as, call, database } = await startApp();

const create = async (slug: string, more: object = {}) => {
  const created = await call('POST', '/v1/segments', { slug, ...more });
  assert.equal(created.status, 201, created.text);
  return created;
};
const put = async (userId: string, change: object) =>
  assert.equal((await call('PATCH', `/v1/users/${userId}/segments`, change)).status, 200);
const slugsOf = ({ body }: Answer): string[] => body.segments.map(({ slug }: { slug: string }) => slug);
const refusal = ({ status, body }: Answer) => [
  status,
  body.code,
  ...(body.errors ?? []).map(({ path }: { path: string }) => path),
];
const times = (character: string, count: number) => character.repeat(count);

test('a created segment is answered whole, with its revision, and can be read at its location', async () => {
  const { body, headers } = await create('AVITO_NEW_CARD', { description: 'A card', percent: 10, salt: 'cards' });
  const { created_at: at } = body;
  const ranges = [[0, 1000]];
  assert.deepEqual(body, {
    slug: 'AVITO_NEW_CARD',
    description: 'A card',
    percent: 10,
    salt: 'cards',
    exclusive_group: null,
    created_at: at,
    updated_at: at,
    ranges,
    scheduled: [],
  });
  assert.equal(headers.location, '/v1/segments/AVITO_NEW_CARD');
  assert.match(String(headers.revision), /^[1-9]\d*$/);
  const read = await as('read')('GET', '/v1/segments/AVITO_NEW_CARD');
  assert.deepEqual([read.status, read.body], [200, { ...body, members: 0, rollout_estimate: 0 }]);
});

test('what is left out of a new segment has its default', async () => {
  const { description, percent, salt, ranges } = (await create('defaults')).body;
  assert.deepEqual({ description, percent, salt, ranges }, { description: '', percent: 0, salt: 'defaults', ranges: [] });
});

for (const [what, body] of Object.entries({
  'a slug of one character': { slug: 'x' },
  'a slug of 128 characters': { slug: times('s', 128) },
  'a slug that starts with a digit and has every mark': { slug: '0_.-Z' },
  'a description of 1,000 characters outside the basic plane': { slug: 'd1', description: times('😀', 1000) },
  'a description of several lines': { slug: 'd2', description: 'one\r\n\ttwo' },
  'the smallest percentage': { slug: 'p1', percent: 0.01 },
  'a percentage that has no exact binary form': { slug: 'p2', percent: 0.29 },
  'a percentage one step below all': { slug: 'p3', percent: 99.99 },
  'all users': { slug: 'p4', percent: 100 },
  'a salt of 128 characters': { slug: 'salted', salt: times('s', 128) },
})) {
  test(`${what} is taken as it is`, async () => {
    const { body: made } = await create(body.slug, body);
    assert.deepEqual({ ...made, ...body }, made);
    if ('percent' in body) assert.deepEqual(made.ranges, [[0, Math.round(body.percent * 100)]]);
  });
}

const slugRule = 'must be 1 to 128 of A-Z a-z 0-9 _ . -, starting with a letter or digit';
const textRule = 'must hold no NUL and no lone surrogate';
/** [path, value, message], of a field that a new segment has. */
const badSlugs: [string, unknown, string][] = [
  ['slug', undefined, 'is missing.'],
  ['slug', times('s', 129), `${slugRule}; got "${times('s', 60)}… (129 characters)".`],
  ...['', '.a', '-a', '_a', 'a b', 'a/b', 'é', 'a\n'].map(
    (slug) => ['slug', slug, `${slugRule}; got ${JSON.stringify(slug)}.`] satisfies [string, string, string],
  ),
  ['slug', 7, 'must be string; got 7.'],
  ['salt', '', `${slugRule}; got "".`],
  ['salt', null, 'must be string; got null.'],
  ['exclusive_group', 'a group', `${slugRule}; got "a group".`],
  ['exclusive_group', null, 'must be string; got null.'],
];
/** The same, of a field that a PATCH has too. */
const badFields: [string, unknown, string][] = [
  ['description', times('d', 1001), `must have at most 1000 characters; got "${times('d', 60)}… (1001 characters)".`],
  ['description', 'a\0b', `${textRule}; got "a\\u0000b".`],
  ['description', 'a\ud83d', `${textRule}; got "a\\ud83d".`],
  ['description', null, 'must be string; got null.'],
  ['percent', -0.01, 'must be >= 0; got -0.01.'],
  ['percent', 100.01, 'must be <= 100; got 100.01.'],
  ['percent', 0.001, 'must go in steps of 0.01; got 0.001.'],
  ['percent', 33.333, 'must go in steps of 0.01; got 33.333.'],
  ['percent', '10', 'must be number; got "10".'],
  ['percent', null, 'must be number; got null.'],
  ['percents', 10, 'is not a known field.'],
];
const named = (value: unknown) => (value === undefined ? 'none' : JSON.stringify(value).slice(0, 20));

for (const [path, value, message] of [...badSlugs, ...badFields]) {
  test(`a new segment with ${path} ${named(value)} is refused and not made`, async () => {
    const answer = await call('POST', '/v1/segments', { slug: 'refused', [path]: value });
    assert.deepEqual([answer.status, answer.body.code, answer.body.errors], [400, 'invalid_request', [{ path, message }]]);
    assert.equal((await call('GET', '/v1/segments/refused')).status, 404);
  });
}

for (const [path, value, message] of [
  ...badFields,
  ['slug', 'other', 'is not a known field.'],
  ['salt', 'other', 'is not a known field.'],
  ['exclusive_group', 'other', 'is not a known field.'],
  ['effective_at', '2999-01-01T00:00:00Z', 'is the moment of a percentage: it needs percent.'],
]) {
  test(`a change of ${path} to ${named(value)} is refused and changes nothing`, async () => {
    const before = (await call('GET', '/v1/segments/AVITO_NEW_CARD')).body;
    const answer = await call('PATCH', '/v1/segments/AVITO_NEW_CARD', { description: 'new', [path]: value });
    assert.deepEqual([answer.status, answer.body.code, answer.body.errors], [400, 'invalid_request', [{ path, message }]]);
    assert.deepEqual((await call('GET', '/v1/segments/AVITO_NEW_CARD')).body, before);
  });
}

test('a slug that lives is refused, and the one in other letters is another', async () => {
  const { body } = await create('Taken', { description: 'first' });
  const again = await call('POST', '/v1/segments', { slug: 'Taken', description: 'second' });
  assert.deepEqual([...refusal(again), again.body.detail], [409, 'segment_exists', 'A segment Taken exists.']);
  assert.deepEqual((await call('GET', '/v1/segments/Taken')).body, { ...body, members: 0, rollout_estimate: 0 });
  await create('TAKEN');
});

test('a segment that does not live is a 404 by every method, also where something else would be a conflict', async () => {
  await create('gone');
  assert.equal((await call('DELETE', '/v1/segments/gone')).status, 204);
  for (const slug of ['gone', 'never', 'avito_new_card']) {
    for (const [method, path, body] of [
      ['GET', ''],
      ['PATCH', '', { percent: 1 }],
      ['DELETE', ''],
      ['GET', '/members'],
    ] as const) {
      const answer = await call(method, `/v1/segments/${slug}${path}`, body);
      assert.deepEqual([...refusal(answer), answer.body.detail], [404, 'segment_not_found', `There is no segment ${slug}.`]);
    }
  }
});

test('a slug that none can have is a 400 by every method', async () => {
  for (const slug of [times('s', 129), '.a', 'a%20b', 'a%2Fb', '%00', '%C3%A9']) {
    for (const [method, path, body] of [
      ['GET', ''],
      ['PATCH', '', { percent: 1 }],
      ['DELETE', ''],
      ['GET', '/members'],
    ] as const) {
      assert.deepEqual(refusal(await call(method, `/v1/segments/${slug}${path}`, body)), [400, 'invalid_request', 'slug']);
    }
  }
});

test('segments are listed in byte order, page by page, each once', async () => {
  const sorted = ['list.', 'list.-', 'list..', 'list.0', 'list.Z', 'list._', 'list.a', 'list.a-', 'list.aZ', 'list.aa'];
  for (const slug of sorted.toReversed()) await create(slug);
  const pages: string[][] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Answer = await as('read')('GET', `/v1/segments?prefix=list.&limit=4${cursor && `&cursor=${cursor}`}`);
    pages.push(slugsOf(page));
    assert.ok(pages.length < 10, 'the pages come to an end');
    cursor = page.body.next_cursor;
  }
  assert.deepEqual(pages, [sorted.slice(0, 4), sorted.slice(4, 8), sorted.slice(8)]);
  const whole = await call('GET', `/v1/segments?prefix=list.&limit=${sorted.length}`);
  assert.deepEqual([slugsOf(whole), whole.body.next_cursor], [sorted, null], 'a full last page has no cursor');
  assert.deepEqual(slugsOf(await call('GET', '/v1/segments?prefix=list.a')), ['list.a', 'list.a-', 'list.aZ', 'list.aa']);
  assert.deepEqual(slugsOf(await call('GET', '/v1/segments?prefix=LIST')), []);
  const all = slugsOf(await call('GET', '/v1/segments?limit=1000'));
  assert.deepEqual([all.includes('Taken'), all.includes('gone'), all], [true, false, all.toSorted()]);
});

test('a list takes 100 where no limit is given', async () => {
  await database.pool.query(`insert into segments (slug, salt, created_at, created_by, updated_at)
    select 'many' || lpad(n::text, 3, '0'), 'many', '2025-01-01', 'test', '2025-01-01' from generate_series(1, 101) n`);
  await database.pool.query(
    `insert into rollouts select segment_id, created_at, 'infinity', '{}', 'test' from segments where salt = 'many'`,
  );
  await database.pool.query(`update definitions set version = version + 1`);
  const { body } = await call('GET', '/v1/segments?prefix=many');
  assert.deepEqual([body.segments.length, typeof body.next_cursor], [100, 'string']);
});

const cursor = (position: unknown) => `cursor=${Buffer.from(JSON.stringify(position)).toString('base64url')}`;

for (const list of ['/v1/segments', '/v1/segments/AVITO_NEW_CARD/members']) {
  for (const [query, path] of [
    ...['0', '1001', '-1', '1.5', 'ten', ''].map((limit) => [`limit=${limit}`, 'limit']),
    ...['cursor=', 'cursor=x', cursor('a'), cursor([]), cursor([1]), cursor([null]), cursor(['a', 1]), cursor(['\0'])].map(
      (text) => [text, 'cursor'],
    ),
    ['order=asc', 'order'],
    ['group=x', 'group'],
  ]) {
    test(`${list}?${query} is refused`, async () => {
      assert.deepEqual(refusal(await call('GET', `${list}?${query}`)), [400, 'invalid_request', path]);
    });
  }
}

test('the cursor of another list is refused', async () => {
  for (const user of ['u1', 'u2']) await put(user, { add: ['Taken', 'TAKEN'] });
  const cursors: Record<string, string> = {};
  const lists = ['/v1/segments', '/v1/segments/Taken/members', '/v1/users/u1/memberships', '/v1/users/u1/history?month=2025-01'];
  for (const list of lists.slice(0, 3)) cursors[list] = (await call('GET', `${list}?limit=1`)).body.next_cursor;
  for (const list of lists) {
    for (const [origin, foreign] of Object.entries(cursors).filter(([origin]) => origin !== list)) {
      const answer = await call('GET', `${list}${list.includes('?') ? '&' : '?'}cursor=${foreign}`);
      assert.deepEqual(refusal(answer), [400, 'invalid_request', 'cursor'], `that of ${origin} at ${list}`);
    }
  }
});

test('the length of a description is counted, and told, in code points', async () => {
  const { status, body } = await call('POST', '/v1/segments', { slug: 'refused', description: times('😀', 1001) });
  assert.equal(status, 400);
  assert.match(body.detail, /^description .*1000 characters; got ".*… \(1001 characters\)"\.$/);
});

test('a key that may only read changes no segment', async () => {
  for (const [method, path, body] of [
    ['POST', '', { slug: 'refused' }],
    ['PATCH', '/Taken', { percent: 5 }],
    ['DELETE', '/Taken'],
  ] as const) {
    assert.deepEqual(refusal(await as('read')(method, `/v1/segments${path}`, body)), [403, 'forbidden']);
  }
  assert.equal((await call('GET', '/v1/segments/Taken')).body.percent, 0);
});
