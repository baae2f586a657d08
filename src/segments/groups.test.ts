import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age } from '../../test/support/aging.ts';
import { type Answer, startApp } from '../../test/support/app.ts';
import { bucketOf } from '../rollout/bucket.ts';

const { as, call, database } = await startApp();

const create = async (slug: string, group: string, more: object = {}) => {
  const created = await call('POST', '/v1/segments', { slug, exclusive_group: group, ...more });
  assert.equal(created.status, 201, created.text);
  return created.body;
};
const rate = async (slug: string, percent: number, effectiveAt?: string) => {
  const body = { percent, ...(effectiveAt === undefined ? {} : { effective_at: effectiveAt }) };
  const changed = await call('PATCH', `/v1/segments/${slug}`, body);
  assert.equal(changed.status, 200, changed.text);
  return changed.body;
};
const read = async (slug: string) => (await call('GET', `/v1/segments/${slug}`)).body;
const rangesOf = async (slug: string) => (await read(slug)).ranges;
const hoursAhead = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
/** Somebody whose bucket on the group's ring lies there. */
const userIn = (group: string, from: number, to: number): string => {
  for (let i = 0; ; i++) {
    const bucket = bucketOf(group, `u${i}`);
    if (bucket >= from && bucket < to) return `u${i}`;
  }
};

/** Everything that is recorded of segments and their percentages. */
const recorded = async () =>
  (
    await database.pool.query(
      `select d.version, d.revision, s.slug, s.updated_at, r.from_at, r.to_at, r.ranges from definitions d, segments s
         left join rollouts r using (segment_id) order by s.segment_id, r.from_at`,
    )
  ).rows as unknown[];

/** That it did not fit: what could be had, who has the rest, and that nothing was changed. */
async function isFull(ask: () => Promise<Answer>, free: number, holders: Record<string, number>) {
  const before = await recorded();
  const { status, body } = await ask();
  assert.deepEqual([status, body.code], [409, 'group_full'], JSON.stringify(body));
  assert.equal(body.free, free);
  assert.deepEqual(
    body.holders,
    Object.entries(holders).map(([slug, percent]) => ({ slug, percent })),
  );
  assert.deepEqual(await recorded(), before);
}

test('a segment says its group, whose name is its salt; outside of groups both are its own', async () => {
  const made = await create('said', 'G.said', { percent: 10 });
  assert.deepEqual([made.exclusive_group, made.salt, made.ranges, made.scheduled], ['G.said', 'G.said', [[0, 1000]], []]);
  assert.deepEqual(await read('said'), { ...made, members: 0, rollout_estimate: 0 });
  const { body } = await call('POST', '/v1/segments', { slug: 'single' });
  assert.deepEqual([body.exclusive_group, body.salt], [null, 'single']);
  await create('saying-it', 'G.said', { salt: 'G.said' });
});

test('another salt than the name of the group is refused, also the default one of others', async () => {
  for (const salt of ['other', 'salted', 'g.said']) {
    const { status, body } = await call('POST', '/v1/segments', { slug: 'salted', exclusive_group: 'G.said', salt });
    assert.deepEqual([status, body.code, body.errors[0].path], [400, 'invalid_request', 'salt']);
  }
  assert.equal((await call('GET', '/v1/segments/salted')).status, 404);
});

test('neither group nor salt ever changes', async () => {
  for (const body of [{ exclusive_group: 'other' }, { exclusive_group: 'G.said' }, { salt: 'G.said' }]) {
    assert.equal((await call('PATCH', '/v1/segments/said', body)).status, 400);
  }
});

for (const group of ['', '.G', 'a b', 'G'.repeat(129), 7, null]) {
  test(`the group ${JSON.stringify(group).slice(0, 20)} is refused: it has the form of a slug`, async () => {
    const { status, body } = await call('POST', '/v1/segments', { slug: 'grouped', exclusive_group: group });
    assert.deepEqual([status, body.errors[0].path], [400, 'exclusive_group']);
    if (group === null || typeof group === 'number') return;
    assert.equal((await call('GET', `/v1/segments?exclusive_group=${encodeURIComponent(group)}`)).status, 400);
  });
}

test('a list can be of one group: its living segments alone, page by page, together with a prefix', async () => {
  for (const slug of ['list.c', 'list.a', 'other.b', 'list.d']) await create(slug, 'G.list');
  await create('list.b', 'G.LIST');
  await call('DELETE', '/v1/segments/list.d');
  const slugs = ({ body }: Answer) => body.segments.map(({ slug }: { slug: string }) => slug);
  const list = (query: string) => as('read')('GET', `/v1/segments?${query}`);
  assert.deepEqual(slugs(await list('exclusive_group=G.list')), ['list.a', 'list.c', 'other.b']);
  assert.deepEqual(slugs(await list('exclusive_group=G.list&prefix=list.')), ['list.a', 'list.c']);
  const first = await list('exclusive_group=G.list&limit=2');
  assert.deepEqual(slugs(first), ['list.a', 'list.c']);
  const second = await list(`exclusive_group=G.list&limit=2&cursor=${first.body.next_cursor}`);
  assert.deepEqual([slugs(second), second.body.next_cursor], [['other.b'], null]);
  assert.deepEqual((await list('exclusive_group=nothing')).body, { segments: [], next_cursor: null });
});

test('a group shares one ring: raising takes the lowest free buckets, lowering gives back the last, nobody else moves', async () => {
  const steps: [slug: string, percent: number, ranges: [number, number][]][] = [
    ['ring.a', 10, [[0, 1000]]],
    ['ring.b', 20, [[1000, 3000]]],
    [
      'ring.a',
      30,
      [
        [0, 1000],
        [3000, 5000],
      ],
    ],
    ['ring.b', 0.5, [[1000, 1050]]],
    [
      'ring.c',
      25,
      [
        [1050, 3000],
        [5000, 5550],
      ],
    ],
    [
      'ring.a',
      11,
      [
        [0, 1000],
        [3000, 3100],
      ],
    ],
    [
      'ring.b',
      3,
      [
        [1000, 1050],
        [3100, 3350],
      ],
    ],
    ['ring.a', 0, []],
    [
      'ring.c',
      35,
      [
        [0, 1000],
        [1050, 3000],
        [5000, 5550],
      ],
    ],
  ];
  const expected = new Map<string, number[][]>();
  for (const slug of ['ring.a', 'ring.b', 'ring.c']) expected.set(slug, await create(slug, 'G.ring').then((made) => made.ranges));
  for (const [slug, percent, ranges] of steps) {
    const { ranges: now, percent: is } = await rate(slug, percent);
    assert.deepEqual([now, is], [ranges, percent], `${slug} at ${percent}`);
    expected.set(slug, ranges);
    for (const [mate, theirs] of expected) assert.deepEqual(await rangesOf(mate), theirs, `${mate} after ${slug} at ${percent}`);
  }
});

test('what was taken in several raises is given back newest first', async () => {
  await create('newest.b', 'G.newest', { percent: 10 });
  await create('newest.a', 'G.newest', { percent: 10 });
  await call('DELETE', '/v1/segments/newest.b');
  assert.deepEqual((await rate('newest.a', 20)).ranges, [[0, 2000]]);
  assert.deepEqual(
    (await rate('newest.a', 15)).ranges,
    [
      [0, 500],
      [1000, 2000],
    ],
    'not those that are highest',
  );
});

test('who is covered is in one segment of the group alone, and stays there while the others change', async () => {
  for (const slug of ['one.a', 'one.b']) await create(slug, 'G.one', { percent: 30 });
  const users = [userIn('G.one', 0, 3000), userIn('G.one', 3000, 6000), userIn('G.one', 6000, 10_000)];
  const areIn = async (...expected: string[][]) => {
    const { body } = await call('POST', '/v1/lookup', { user_ids: users });
    const found = body.users.map(
      ({ segments }: { segments: string[] | null }) => segments?.filter((slug) => slug.startsWith('one.')) ?? [],
    );
    assert.deepEqual(found, expected);
  };
  await areIn(['one.a'], ['one.b'], []);
  await rate('one.a', 70);
  await areIn(['one.a'], ['one.b'], ['one.a']);
  await rate('one.a', 0);
  await areIn([], ['one.b'], []);
});

test('what does not fit is refused with what is free and who has the rest, and changes nothing', async () => {
  await create('full.b', 'G.full', { percent: 60.5 });
  await create('full.a', 'G.full', { percent: 29.99 });
  await create('full.none', 'G.full');
  const holders = { 'full.a': 29.99, 'full.b': 60.5 };
  await isFull(() => call('PATCH', '/v1/segments/full.a', { percent: 39.51 }), 9.51, holders);
  await isFull(() => call('PATCH', '/v1/segments/full.none', { percent: 9.52, description: 'also' }), 9.51, holders);
  await isFull(() => call('POST', '/v1/segments', { slug: 'full.c', exclusive_group: 'G.full', percent: 100 }), 9.51, holders);
  await isFull(() => call('PATCH', '/v1/segments/full.a', { percent: 50, effective_at: hoursAhead(1) }), 9.51, holders);
  assert.equal((await call('GET', '/v1/segments/full.c')).status, 404);
  assert.equal((await rate('full.a', 39.5)).percent, 39.5, 'what is free can be had to the last bucket');
  await isFull(() => call('PATCH', '/v1/segments/full.none', { percent: 0.01 }), 0, { 'full.a': 39.5, 'full.b': 60.5 });
  assert.equal((await call('PATCH', '/v1/segments/full.none', { percent: 0 })).status, 200);
});

test('a slug that lives is told before the room that is missing, and a percentage that is none before both', async () => {
  const ask = async (percent: number) =>
    (await call('POST', '/v1/segments', { slug: 'full.a', exclusive_group: 'G.full', percent })).body.code;
  assert.deepEqual(
    [await ask(100), await ask(100.01), await ask(0.001)],
    ['segment_exists', 'invalid_request', 'invalid_request'],
  );
});

test('deletion frees all of it, also what was reserved', async () => {
  await create('freed.a', 'G.freed', { percent: 40 });
  await create('freed.b', 'G.freed', { percent: 10 });
  await rate('freed.a', 90, hoursAhead(1));
  await isFull(() => call('PATCH', '/v1/segments/freed.b', { percent: 11 }), 0, { 'freed.a': 90, 'freed.b': 10 });
  assert.equal((await call('DELETE', '/v1/segments/freed.a')).status, 204);
  assert.deepEqual(await rangesOf('freed.b'), [[4000, 5000]], 'nobody else moves');
  const again = await create('freed.a', 'G.freed', { percent: 50 });
  assert.deepEqual(
    [again.ranges, again.scheduled],
    [
      [
        [0, 4000],
        [5000, 6000],
      ],
      [],
    ],
    'a new segment with nothing of its former life',
  );
  assert.deepEqual((await rate('freed.b', 50)).ranges, [
    [4000, 5000],
    [6000, 10_000],
  ]);
});

test('other groups, and segments in none, have rings of their own', async () => {
  for (const group of ['G.own1', 'G.own2', 'g.own1'])
    assert.deepEqual((await create(`own.${group}`, group, { percent: 100 })).ranges, [[0, 10_000]]);
  const { status } = await call('POST', '/v1/segments', { slug: 'own.single', salt: 'G.own1', percent: 100 });
  assert.equal(status, 201, 'a salt like the name of a group makes nobody a member of it');
});

test('what a scheduled raise will need is reserved from its acceptance, and given up when it is taken back', async () => {
  const at = hoursAhead(1);
  await create('kept.a', 'G.kept', { percent: 10 });
  await create('kept.b', 'G.kept', { percent: 10 });
  const planned = await rate('kept.a', 60, at);
  assert.deepEqual(
    [planned.ranges, planned.scheduled[0].ranges],
    [
      [[0, 1000]],
      [
        [0, 1000],
        [2000, 7000],
      ],
    ],
  );
  assert.deepEqual(
    (await rate('kept.b', 20)).ranges,
    [
      [1000, 2000],
      [7000, 8000],
    ],
    'around what is reserved',
  );
  await isFull(() => call('PATCH', '/v1/segments/kept.b', { percent: 41 }), 20, { 'kept.a': 60, 'kept.b': 20 });
  await isFull(() => call('PATCH', '/v1/segments/kept.b', { percent: 41, effective_at: at }), 20, { 'kept.a': 60, 'kept.b': 20 });
  await isFull(() => call('PATCH', '/v1/segments/kept.b', { percent: 41, effective_at: hoursAhead(0.5) }), 20, {
    'kept.a': 60,
    'kept.b': 20,
  });
  assert.equal((await call('DELETE', `/v1/segments/kept.a/scheduled/${planned.scheduled[0].id}`)).status, 204);
  assert.deepEqual((await rate('kept.b', 41)).ranges, [
    [1000, 4100],
    [7000, 8000],
  ]);
});

test('an immediate raise takes what the segment has reserved, and an immediate lowering keeps it reserved', async () => {
  await create('early.b', 'G.early', { percent: 5 });
  await create('early.a', 'G.early', { percent: 10 });
  await rate('early.a', 30, hoursAhead(1));
  assert.deepEqual((await rate('early.b', 10)).ranges, [
    [0, 500],
    [3500, 4000],
  ]);
  const lowered = await rate('early.a', 2);
  assert.deepEqual([lowered.ranges, lowered.scheduled[0].ranges], [[[500, 700]], [[500, 3500]]]);
  await rate('early.b', 70);
  assert.deepEqual((await rate('early.a', 30)).ranges, [[500, 3500]], 'as it was to be, though nothing else is left');
});

test('what a scheduled lowering will free can be counted on from its moment on, not before', async () => {
  const [at, before] = [hoursAhead(2), hoursAhead(1)];
  await create('turn.a', 'G.turn', { percent: 80 });
  await create('turn.b', 'G.turn', { percent: 20 });
  await rate('turn.a', 30, at);
  const holders = { 'turn.a': 80, 'turn.b': 20 };
  await isFull(() => call('PATCH', '/v1/segments/turn.b', { percent: 21 }), 0, holders);
  await isFull(() => call('PATCH', '/v1/segments/turn.b', { percent: 21, effective_at: before }), 0, holders);
  const planned = await rate('turn.b', 70, at);
  assert.deepEqual(planned.scheduled[0].ranges, [[3000, 10_000]]);
  await age(database, 2 * 3600 + 1);
  assert.deepEqual([await rangesOf('turn.a'), await rangesOf('turn.b')], [[[0, 3000]], [[3000, 10_000]]]);
});
