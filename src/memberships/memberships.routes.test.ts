import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { age, earlier } from '../../test/support/aging.ts';
import { startApp } from '../../test/support/app.ts';
import { bucketOf } from '../rollout/bucket.ts';

const { as, call, database } = await startApp();

const change = (userId: string, body: unknown, by = call) =>
  by('PATCH', `/v1/users/${encodeURIComponent(userId)}/segments`, body);
const changed = async (userId: string, body: object, by = call) => {
  const answer = await change(userId, body, by);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.revision, answer.body.revision);
  return answer.body;
};
const segmentsOf = async (userId: string) =>
  (await call('GET', `/v1/users/${encodeURIComponent(userId)}/segments`)).body.segments;
const why = async (userId: string, slug: string) => (await call('GET', `/v1/users/${userId}/segments/${slug}`)).body;
const rate = async (slug: string, percent: number) =>
  assert.equal((await call('PATCH', `/v1/segments/${slug}`, { percent })).status, 200);
const later = (moment: string, seconds: number) => earlier(moment, -seconds);

/** At a percentage for one test, so that the users of the others are not in it. */
async function withRollout(slug: string, percent: number, use: () => Promise<void>) {
  assert.equal((await call('POST', '/v1/segments', { slug, percent })).status, 201);
  await use();
  assert.equal((await call('DELETE', `/v1/segments/${slug}`)).status, 204);
}

before(async () => {
  for (const slug of ['A', 'B', 'C', 'D']) assert.equal((await call('POST', '/v1/segments', { slug })).status, 201);
});

test('a change is answered with what it did to each slug and what the user is in then', async () => {
  const first = await changed('u1', { add: ['A', 'B'] });
  const { as_of, revision } = first;
  assert.deepEqual(first, {
    user_id: 'u1',
    added: ['A', 'B'],
    removed: [],
    unchanged: [],
    segments: ['A', 'B'],
    as_of,
    revision,
  });
  assert.equal(Date.parse(as_of), Math.floor(Number(revision) / 1000));
  const { added, removed, unchanged, segments, ...second } = await changed('u1', { add: ['B', 'C'], remove: ['A', 'D'] });
  assert.deepEqual(
    { added, removed, unchanged, segments },
    { added: ['C'], removed: ['A'], unchanged: ['B', 'D'], segments: ['B', 'C'] },
  );
  assert.ok(second.as_of > as_of && Number(second.revision) > Number(revision));
  assert.deepEqual(await segmentsOf('u1'), ['B', 'C']);
});

test('a user who is taken out of the last segment is in null, and one who was in none stays so', async () => {
  await changed('u2', { add: ['A'] });
  assert.equal((await changed('u2', { remove: ['A'] })).segments, null);
  assert.equal((await changed('u3', { remove: ['A'] })).segments, null);
  assert.deepEqual([await segmentsOf('u2'), await segmentsOf('u3')], [null, null]);
});

for (const userId of ['a/b', 'a%b', 'a%2Fb', '?x=1&y#z', '+;,"\'', '...', '__proto__', 'constructor', '~'.repeat(128)]) {
  test(`the user ${userId.slice(0, 20)} is a user like any other`, async () => {
    const { user_id, segments } = await changed(userId, { add: ['A'] });
    assert.deepEqual([user_id, segments, await segmentsOf(userId)], [userId, ['A'], ['A']]);
  });
}

test('the latest add sets the end; the revision moves when the end did, and only then', async () => {
  const end = '2999-11-23T10:00:00.000Z';
  const { as_of: since, ...first } = await changed('repeats', { add: ['A'] });
  const steps: [change: object, isMoved: boolean, until: (asOf: string) => string | null][] = [
    [{ add: ['A'] }, false, () => null],
    [{ add: ['A'], ttl_seconds: 3600 }, true, (asOf) => later(asOf, 3600)],
    [{ add: ['A'], ttl_seconds: 3600 }, true, (asOf) => later(asOf, 3600)],
    [{ add: ['A'], expires_at: end }, true, () => end],
    [{ add: ['A'], expires_at: '2999-11-23T13:00:00+03:00' }, false, () => end],
    [{ add: ['A'] }, true, () => null],
    [{ add: ['A'] }, false, () => null],
    [{ remove: ['B'] }, false, () => null],
  ];
  let { revision } = first;
  for (const [body, isMoved, until] of steps) {
    const answer = await changed('repeats', body, as('admin'));
    const message = JSON.stringify(body);
    assert.deepEqual([answer.unchanged.length, answer.added, answer.removed, answer.segments], [1, [], [], ['A']], message);
    if (isMoved) assert.ok(Number(answer.revision) > Number(revision), message);
    else assert.equal(answer.revision, revision, message);
    revision = answer.revision;
    const reason = await why('repeats', 'A');
    assert.deepEqual(
      [reason.since, reason.until, reason.changed_by],
      [since, until(answer.as_of), revision === first.revision ? 'writer' : 'admin'],
    );
  }
  const removed = await changed('repeats', { remove: ['A'] });
  assert.equal((await changed('repeats', { remove: ['A'] })).revision, removed.revision);
  const { events } = (await call('GET', `/v1/users/repeats/history?from=${since}&to=2999-01-01T00:00:00Z`)).body;
  assert.deepEqual(
    events.map(({ operation }: { operation: string }) => operation),
    ['add', 'remove'],
  );
});

test('what is added for a time is left by itself, and can be added again', async () => {
  const { as_of } = await changed('brief', { add: ['A', 'B'], ttl_seconds: 60 });
  await changed('brief', { add: ['B'] }, as('admin'));
  await age(database, 61);
  assert.deepEqual(await segmentsOf('brief'), ['B']);
  const { because, since, changed_by } = await why('brief', 'A');
  assert.deepEqual([because, since, changed_by], ['expired', earlier(as_of, 1), 'writer']);
  assert.deepEqual((await changed('brief', { remove: ['A'] })).unchanged, ['A'], 'it is over already');
  assert.deepEqual((await changed('brief', { add: ['A'] })).added, ['A']);
});

test('adding whom a percentage covers changes nothing that is seen, and is recorded', () =>
  withRollout('covered', 100, async () => {
    const read = (await call('GET', '/v1/users/covered/segments')).body;
    const { unchanged, revision } = await changed('covered', { add: ['covered'] });
    assert.deepEqual([unchanged, Number(revision) > Number(read.revision)], [['covered'], true]);
    await rate('covered', 0);
    assert.deepEqual(await segmentsOf('covered'), ['covered']);
  }));

test('removing under a percentage keeps the user out of it until an add, at every percentage', () =>
  withRollout('barred', 100, async () => {
    const { removed, revision } = await changed('x', { remove: ['barred'] });
    assert.deepEqual([removed, await segmentsOf('x')], [['barred'], null]);
    const again = await changed('x', { remove: ['barred'] });
    assert.deepEqual([again.unchanged, again.revision], [['barred'], revision]);
    await rate('barred', 0);
    await rate('barred', 100);
    assert.equal(await segmentsOf('x'), null);
    assert.deepEqual((await changed('x', { add: ['barred'], ttl_seconds: 60 })).added, ['barred']);
    await age(database, 61);
    const { member, because, until } = await why('x', 'barred');
    assert.deepEqual([member, because, until], [true, 'rollout', null], 'after the end the percentage decides');
  }));

test('removing somebody whom a percentage does not reach yet keeps them out when it is raised', () =>
  withRollout('rising', 0.01, async () => {
    const user = Array.from({ length: 9 }, (_, i) => `rising${i}`).find((name) => bucketOf('rising', name) > 0)!;
    const before = (await call('GET', `/v1/users/${user}/segments`)).body;
    const { unchanged, revision } = await changed(user, { remove: ['rising'] });
    assert.deepEqual([unchanged, Number(revision) > Number(before.revision)], [['rising'], true]);
    await rate('rising', 100);
    assert.deepEqual([await segmentsOf(user), await segmentsOf('anybody')], [null, ['rising']]);
  }));

test('removing at percent 0 keeps nobody out of a later percentage', () =>
  withRollout('zero', 0, async () => {
    await changed('member', { add: ['zero'] });
    await changed('member', { remove: ['zero'] });
    const { revision } = await changed('stranger', { remove: ['zero'] });
    assert.equal((await changed('stranger', { remove: ['zero'] })).revision, revision);
    await rate('zero', 100);
    assert.deepEqual([await segmentsOf('member'), await segmentsOf('stranger')], [['zero'], ['zero']]);
  }));

test('a thousand slugs go in one request', async () => {
  await database.pool.query(`insert into segments (slug, salt, created_at, created_by, updated_at)
    select 'many' || lpad(n::text, 4, '0'), 'many', '2025-01-01', 'test', '2025-01-01' from generate_series(1, 1000) n`);
  await database.pool.query(
    `insert into rollouts select segment_id, created_at, 'infinity', '{}', 'test' from segments where salt = 'many'`,
  );
  await database.pool.query('update definitions set version = version + 1');
  const many = Array.from({ length: 1000 }, (_, i) => `many${String(i + 1).padStart(4, '0')}`);
  assert.deepEqual((await changed('collector', { add: many })).segments, many);
  const { removed, segments } = await changed('collector', { add: many.slice(0, 400), remove: many.slice(400) });
  assert.deepEqual([removed, segments], [many.slice(400), many.slice(0, 400)]);
});
