import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { age, earlier } from '../../test/support/aging.ts';
import { type Answer, startApp } from '../../test/support/app.ts';
import { bucketOf } from '../rollout/bucket.ts';

const { as, call, database } = await startApp();

const get = (path: string) => as('read')('GET', `/v1/users/${path}`);
const changed = async (userId: string, body: object, by = call) => (await by('PATCH', `/v1/users/${userId}/segments`, body)).body;
const segment = async (slug: string, percent = 0, by = call) => (await by('POST', '/v1/segments', { slug, percent })).body;
const refusal = ({ status, body }: Answer) => [
  status,
  body.code,
  ...(body.errors ?? []).map(({ path }: { path: string }) => path),
];
const justBefore = (moment: string) => earlier(moment, 0.001);

before(async () => {
  for (const slug of ['A', 'B', 'C']) await segment(slug);
});

test('a user in no segment, known or not, is in null', async () => {
  await changed('left', { add: ['A'] });
  await changed('left', { remove: ['A'] });
  for (const user of ['nobody', 'left']) {
    const { status, body } = await get(`${user}/segments`);
    assert.equal(status, 200);
    assert.deepEqual(body, { user_id: user, segments: null, as_of: body.as_of, revision: body.revision });
  }
});

test('a read answers the segments sorted, and a revision that is safe to ask for', async () => {
  const written = await changed('r1', { add: ['C', 'A', 'B'] });
  for (const query of ['', '?last_revision=true', '?last_revision=false', `?min_revision=${written.revision}`]) {
    const { status, body } = await get(`r1/segments${query}`);
    assert.deepEqual([status, body.segments], [200, ['A', 'B', 'C']], query);
    assert.ok(body.as_of >= written.as_of && Number(body.revision) >= Number(written.revision), query);
    assert.equal((await get(`r1/segments?min_revision=${body.revision}`)).status, 200);
  }
});

for (const revision of [
  '',
  'abc',
  '-1',
  '1.5',
  '1e3',
  '007',
  '+5',
  '%205',
  '1'.repeat(19),
  '999999999999999999',
  '9'.repeat(16),
]) {
  test(`min_revision=${revision} is refused`, async () => {
    assert.deepEqual(refusal(await get(`r1/segments?min_revision=${revision}`)), [400, 'invalid_request', 'min_revision']);
  });
}

test('a past moment has one answer, which includes what happened in it and not what came later', async () => {
  const first = await changed('p1', { add: ['A'] });
  const second = await changed('p1', { add: ['B'], remove: ['A'] });
  const moments: [string, string[] | null][] = [
    ['0000-01-01T00:00:00.000Z', null],
    ['2020-02-29T23:59:59.999Z', null],
    [justBefore(first.as_of), null],
    [first.as_of, ['A']],
    [justBefore(second.as_of), ['A']],
    [second.as_of, ['B']],
  ];
  const ask = async () => {
    for (const [at, segments] of moments) {
      const { status, body } = await get(`p1/segments?at=${at}`);
      assert.deepEqual([status, body.segments, body.as_of], [200, segments, at]);
    }
  };
  await ask();
  await changed('p1', { remove: ['B'] });
  await ask();
  const offset = `${new Date(Date.parse(first.as_of) + 5_400_000).toISOString().slice(0, -1)}%2B01:30`;
  assert.deepEqual((await get(`p1/segments?at=${offset}`)).body.as_of, first.as_of);
});

test('a past moment knows the percentages and the segments of its time', async () => {
  const made = await segment('then', 100);
  const lowered = (await call('PATCH', '/v1/segments/then', { percent: 0 })).body;
  const barred = await changed('p2', { add: ['then'] });
  const { headers } = await call('DELETE', '/v1/segments/then');
  const deleted = new Date(Math.floor(Number(headers.revision) / 1000)).toISOString();
  for (const [at, segments] of [
    [justBefore(made.created_at), null],
    [made.created_at, ['then']],
    [justBefore(lowered.updated_at), ['then']],
    [lowered.updated_at, null],
    [barred.as_of, ['then']],
    [justBefore(deleted), ['then']],
    [deleted, null],
  ] as const) {
    assert.deepEqual((await get(`p2/segments?at=${at}`)).body.segments, segments, at);
  }
});

for (const [query, ...paths] of [
  ['at=2999-01-01T00:00:00Z', 'at'],
  ...[
    '',
    'now',
    '2026-01-01',
    '2026-02-30T00:00:00Z',
    '2026-01-01T00:00:00',
    '2026-01-01T00:00:00.0001Z',
    '2026-01-01T24:00:00Z',
  ].map((at) => [`at=${at}`, 'at']),
  ['at=2026-01-01T00:00:00Z&last_revision=true', 'at'],
  ['at=2026-01-01T00:00:00Z&min_revision=5', 'at'],
  ...['1', 'TRUE', 'yes', '', 'null'].map((flag) => [`last_revision=${flag}`, 'last_revision']),
  ['last_revision=true&last_revision=true', 'last_revision'],
  ['latest=true', 'latest'],
] as string[][]) {
  test(`segments?${query} is refused`, async () => {
    assert.deepEqual(refusal(await get(`p1/segments?${query}`)), [400, 'invalid_request', ...paths]);
  });
}

test('why names the reason, its moments and who is behind it', async () => {
  const admin = as('admin');
  const bucketIn = (slug: string) => bucketOf(slug, 'w');
  for (const slug of ['added', 'moved', 'removed', 'expired', 'never', 'dead', 'again']) await segment(slug);
  const rollout = await segment('rollout', 100, admin);
  for (const slug of ['by-both', 'excluded']) await segment(slug, 100);
  for (const slug of ['barred', 'missed']) await segment(slug, bucketIn(slug) / 100);
  const rated = await segment('lowered', 100);
  const added = await changed('w', { add: ['added', 'moved', 'removed', 'dead', 'by-both', 'again'] });
  const expired = await changed('w', { add: ['expired', 'by-both'], ttl_seconds: 60 });
  await age(database, 120);
  await changed('w', { add: ['moved'], expires_at: '2999-01-01T00:00:00Z' }, admin);
  const out = await changed('w', { remove: ['removed', 'excluded', 'barred'] }, admin);
  const lowered = (await admin('PATCH', '/v1/segments/lowered', { percent: 0 })).body;
  const deleted = await admin('DELETE', '/v1/segments/dead');
  await admin('DELETE', '/v1/segments/again');
  await segment('again');

  const since = earlier(added.as_of, 120);
  const deletedAt = new Date(Math.floor(Number(deleted.headers.revision) / 1000)).toISOString();
  const none = { since: null, until: null, changed_by: null, rollout: null };
  const of = (slug: string, percent: number) => ({ percent, bucket: bucketIn(slug), ranges: [[0, Math.round(percent * 100)]] });
  const rolledIn = (await get('w/segments/by-both')).body.since;
  assert.ok(rolledIn < since, 'who was in by percentage already is in since then');
  const isIn = { ...none, member: true };
  const isOut = { ...none, member: false };
  const [all, barred, missed] = [
    of('rollout', 100),
    of('barred', bucketIn('barred') / 100),
    of('missed', bucketIn('missed') / 100),
  ];
  const reasons: Record<string, object> = {
    added: { ...isIn, because: 'added', since, changed_by: 'writer' },
    moved: { ...isIn, because: 'added', since, until: '2999-01-01T00:00:00.000Z', changed_by: 'admin' },
    rollout: { ...isIn, because: 'rollout', since: earlier(rollout.created_at, 120), changed_by: 'admin', rollout: all },
    'by-both': { ...isIn, because: 'rollout', since: rolledIn, changed_by: 'writer', rollout: of('by-both', 100) },
    excluded: { ...isOut, because: 'excluded', since: out.as_of, changed_by: 'admin', rollout: of('excluded', 100) },
    barred: { ...isOut, because: 'excluded', changed_by: 'admin', rollout: barred },
    removed: { ...isOut, because: 'removed', since: out.as_of, changed_by: 'admin' },
    expired: { ...isOut, because: 'expired', since: earlier(expired.as_of, 60), changed_by: 'writer' },
    lowered: { ...isOut, because: 'not_covered', since: lowered.updated_at, changed_by: 'admin' },
    missed: { ...isOut, because: 'not_covered', changed_by: 'writer', rollout: missed },
    never: { ...isOut, because: 'never_added' },
    again: { ...isOut, because: 'never_added' },
    dead: { ...isOut, because: 'segment_deleted', since: deletedAt, changed_by: 'admin' },
  };
  for (const [slug, reason] of Object.entries(reasons)) {
    const { body } = await get(`w/segments/${slug}`);
    assert.deepEqual(body, { user_id: 'w', segment: slug, ...reason, as_of: body.as_of }, slug);
  }
  const made = await call('GET', '/v1/segments/added');
  const unborn = await get(`w/segments/added?at=${justBefore(made.body.created_at)}`);
  assert.deepEqual(refusal(unborn), [404, 'segment_not_found']);
  const at = earlier(expired.as_of, 120);
  for (const [slug, because, until] of [
    ['expired', 'added', earlier(at, -60)],
    ['removed', 'added', out.as_of],
    ['lowered', 'rollout', lowered.updated_at],
    ['by-both', 'added', null],
    ['dead', 'added', deletedAt],
    ['again', 'added', undefined],
  ] as const) {
    const { body } = await get(`w/segments/${slug}?at=${at}`);
    assert.deepEqual([body.member, body.because, body.as_of], [true, because, at], slug);
    if (until !== undefined) assert.equal(body.until, until, slug);
  }
  assert.equal((await get(`w/segments/lowered?at=${at}`)).body.since, earlier(rated.created_at, 120));
});

for (const [path, ...problem] of [
  ['w/segments/nowhere', 404, 'segment_not_found'],
  ['w/segments/A?at=2020-01-01T00:00:00Z', 404, 'segment_not_found'],
  ['w/segments/nowhere?at=2999-01-01T00:00:00Z', 400, 'invalid_request', 'at'],
  ['w/segments/A?at=yesterday', 400, 'invalid_request', 'at'],
  ['w/segments/A?last_revision=true', 400, 'invalid_request', 'last_revision'],
  [`w/segments/${'s'.repeat(129)}`, 400, 'invalid_request', 'slug'],
  ['w%20x/segments/A', 400, 'invalid_request', 'user_id'],
  ['w/memberships?limit=0', 400, 'invalid_request', 'limit'],
  ['w/memberships?limit=1001', 400, 'invalid_request', 'limit'],
  ['w/memberships?ended=yes', 400, 'invalid_request', 'ended'],
  ['w/memberships?cursor=x', 400, 'invalid_request', 'cursor'],
  ['w/memberships?segment=A', 400, 'invalid_request', 'segment'],
] as [string, number, string, string?][]) {
  test(`${path.slice(0, 50)} is refused`, async () => assert.deepEqual(refusal(await get(path)), problem));
}

test('what was said by hand is listed as it stands, and what has ended with who ended it and why', async () => {
  const admin = as('admin');
  for (const slug of ['m1', 'm2', 'm3', 'm4']) await segment(slug, slug === 'm3' ? 100 : 0);
  const first = await changed('m', { add: ['m1', 'm2', 'm4'] });
  const second = await changed('m', { add: ['m2'], ttl_seconds: 60 }, admin);
  await age(database, 120);
  const third = await changed('m', { add: ['m2'], remove: ['m1', 'm3'] });
  const deleted = await admin('DELETE', '/v1/segments/m4');
  const [t1, t2, t3] = [earlier(first.as_of, 120), earlier(second.as_of, 120), third.as_of];
  const t4 = new Date(Math.floor(Number(deleted.headers.revision) / 1000)).toISOString();
  const stay = (segment: string, starts_at: string, ends_at: string | null, changed_by = 'writer', effect = 'include') => ({
    segment,
    effect,
    starts_at,
    ends_at,
    changed_by,
  });
  const standing = [stay('m2', t3, null), stay('m3', t3, null, 'writer', 'exclude')];
  const ended = [
    { ...stay('m1', t1, t3), ended_by: 'writer', ended_cause: 'request' },
    { ...stay('m2', t1, t2), ended_by: 'admin', ended_cause: 'request' },
    { ...stay('m2', t2, earlier(t2, -60), 'admin'), ended_by: 'admin', ended_cause: 'ttl' },
    { ...stay('m4', t1, t4), ended_by: 'admin', ended_cause: 'segment_deleted' },
  ];
  for (const [flag, expected] of [
    ['false', standing],
    ['true', ended],
  ] as const) {
    const { status, body } = await get(`m/memberships?ended=${flag}`);
    assert.deepEqual([status, body.memberships, body.next_cursor], [200, expected, null]);
    const pages: unknown[] = [];
    for (let cursor = ''; ;) {
      const page = (await get(`m/memberships?ended=${flag}&limit=1${cursor}`)).body;
      pages.push(...page.memberships);
      if (page.next_cursor === null) break;
      assert.ok(pages.length < 10, 'the pages come to an end');
      cursor = `&cursor=${page.next_cursor}`;
    }
    assert.deepEqual(pages, expected, 'one by one');
  }
  assert.deepEqual((await get('m/memberships')).body.memberships, standing);
  assert.deepEqual((await get('nobody/memberships')).body.memberships, []);
});
