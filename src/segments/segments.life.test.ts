import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';

const { another, as, call, database } = await startApp();

const create = async (slug: string, more: object = {}) => {
  const created = await call('POST', '/v1/segments', { slug, ...more });
  assert.equal(created.status, 201, created.text);
  return created;
};
const put = async (userId: string, change: object) => {
  const { status, text, body } = await call('PATCH', `/v1/users/${encodeURIComponent(userId)}/segments`, change);
  assert.equal(status, 200, text);
  return body;
};
const momentOf = (revision: unknown) => new Date(Math.floor(Number(revision) / 1000)).toISOString();

test('a change touches what it names, moves updated_at, and answers a greater revision', async () => {
  const made = await create('changing', { description: 'old', percent: 10 });
  const raised = await call('PATCH', '/v1/segments/changing', { percent: 10.5 });
  assert.equal(raised.status, 200);
  assert.deepEqual(raised.body, { ...made.body, percent: 10.5, ranges: [[0, 1050]], updated_at: raised.body.updated_at });
  assert.ok(raised.body.updated_at > made.body.updated_at);
  assert.ok(Number(raised.headers.revision) > Number(made.headers.revision));
  const told = await call('PATCH', '/v1/segments/changing', { description: '' });
  assert.deepEqual(told.body, { ...raised.body, description: '', updated_at: told.body.updated_at });
  assert.deepEqual((await call('GET', '/v1/segments/changing')).body, { ...told.body, members: 0, rollout_estimate: 0 });
});

test('a change that changes nothing keeps updated_at and the revision; an empty one is refused', async () => {
  await create('still', { description: 'same' });
  const changed = await call('PATCH', '/v1/segments/still', { percent: 0.3 });
  for (const body of [{ percent: 0.3 }, { description: 'same' }, { percent: 0.3, description: 'same' }]) {
    const again = await call('PATCH', '/v1/segments/still', body);
    assert.deepEqual([again.status, again.body, again.headers.revision], [200, changed.body, changed.headers.revision]);
  }
  const { status, body } = await call('PATCH', '/v1/segments/still', {});
  assert.deepEqual([status, body.code], [400, 'invalid_request']);
});

test('deleting a segment takes everybody out at that moment, and each exit is in the history', async () => {
  await create('leaving', { percent: 100 });
  const staying = await create('staying');
  for (const slug of ['changing', 'still']) await call('DELETE', `/v1/segments/${slug}`);
  await put('by-hand', { add: ['leaving', 'staying'] });
  const deleted = await call('DELETE', '/v1/segments/leaving');
  assert.deepEqual([deleted.status, deleted.text], [204, '']);
  assert.ok(Number(deleted.headers.revision) > Number(staying.headers.revision));
  const at = momentOf(deleted.headers.revision);
  const [from, to] = [staying.body.created_at, '2999-01-01T00:00:00Z'];
  const exit = { at, segment: 'leaving', operation: 'remove', cause: 'segment_deleted', actor: 'writer' };
  for (const [user, left] of [
    ['by-hand', ['staying']],
    ['by-percentage', null],
  ] as const) {
    assert.deepEqual((await call('GET', `/v1/users/${user}/segments`)).body.segments, left);
    assert.deepEqual((await call('GET', `/v1/users/${user}/history?from=${from}&to=${to}`)).body.events.at(-1), exit);
  }
});

test('a slug created again is a new segment with nothing of its former life', async () => {
  const first = await create('phoenix', { description: 'old', percent: 100, salt: 'other' });
  await put('kept', { add: ['phoenix'] });
  await put('barred', { remove: ['phoenix'] });
  await call('DELETE', '/v1/segments/phoenix');
  const { body } = await create('phoenix');
  assert.deepEqual([body.description, body.percent, body.salt, body.ranges], ['', 0, 'phoenix', []]);
  assert.ok(body.created_at > first.body.created_at && body.created_at === body.updated_at);
  assert.deepEqual((await call('GET', '/v1/segments/phoenix')).body, { ...body, members: 0, rollout_estimate: 0 });
  assert.deepEqual((await call('GET', '/v1/segments/phoenix/members')).body.members, []);
  await call('PATCH', '/v1/segments/phoenix', { percent: 100 });
  const why = async (user: string) => (await call('GET', `/v1/users/${user}/segments/phoenix`)).body.because;
  assert.deepEqual([await why('kept'), await why('barred')], ['rollout', 'rollout'], 'neither membership nor exclusion is left');
});

test('members are those in by hand now, in byte order, with since and until', async () => {
  await create('club', { percent: 100 });
  const users = ['Z', 'a', 'a!', 'a/b', 'aa', 'a~'];
  const joined = new Map<string, string>();
  for (const user of users.toReversed()) joined.set(user, (await put(user, { add: ['club'] })).as_of);
  await put('a!', { add: ['club'], expires_at: '2999-01-01T00:00:00Z' });
  await put('b', { add: ['club'], ttl_seconds: 60 });
  await database.pool.query(
    `update memberships set starts_at = starts_at - interval '1 hour', ends_at = ends_at - interval '1 hour' where user_id = 'b'`,
  );
  await put('c', { add: ['club'] });
  await put('c', { remove: ['club'] });
  const pages = [await as('read')('GET', '/v1/segments/club/members?limit=4')];
  pages.push(await call('GET', `/v1/segments/club/members?limit=4&cursor=${pages[0]!.body.next_cursor}`));
  assert.deepEqual(
    pages.flatMap(({ body }) => body.members),
    users.map((user) => ({ user_id: user, since: joined.get(user), until: user === 'a!' ? '2999-01-01T00:00:00.000Z' : null })),
  );
  assert.deepEqual([pages[0]!.body.members.length, pages[1]!.body.next_cursor], [4, null]);
  for (const segment of [
    (await call('GET', '/v1/segments/club')).body,
    (await call('GET', '/v1/segments?prefix=club')).body.segments[0],
  ]) {
    assert.equal(segment.members, users.length);
  }
});

test('of twenty creations of one slug at once, by two processes, one wins', async () => {
  const calls = [call, await another()];
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => calls[i % 2]!('POST', '/v1/segments', { slug: 'race', percent: i })),
  );
  const [won, ...more] = answers.filter(({ status }) => status === 201);
  assert.equal(more.length, 0);
  assert.deepEqual(new Set(answers.filter((answer) => answer !== won).map(({ body }) => body.code)), new Set(['segment_exists']));
  const { rollout_estimate: estimate, ...read } = (await call('GET', '/v1/segments/race')).body;
  assert.deepEqual(read, { ...won!.body, members: 0 });
  assert.equal(typeof estimate, 'number');
});

/** Percentages from 1 up at once, by two processes. Who had no turn for long is told so, and asks again. */
async function raceOf(slug: string, count: number) {
  await create(slug);
  const calls = [call, await another()];
  const percents = Array.from({ length: count }, (_, i) => i + 1);
  const change = async (percent: number, i: number): ReturnType<typeof call> => {
    const answer = await calls[i % 2]!('PATCH', `/v1/segments/${slug}`, { percent });
    return answer.body.code === 'definitions_busy' ? change(percent, i) : answer;
  };
  const answers = await Promise.all(percents.map(change));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  return { percents, answers, revisions: answers.map(({ headers }) => Number(headers.revision)) };
}

test('changes of a percentage at once all land, in the order of their revisions', async () => {
  const { percents, revisions } = await raceOf('busy', 12);
  assert.equal(new Set(revisions).size, percents.length);
  const inOrder = percents.toSorted((a, b) => revisions[a - 1]! - revisions[b - 1]!);
  const { rows } = await database.pool.query<{ percents: number[] }>(
    `select array_agg(upper(ranges) / 100 order by from_at) as percents
       from rollouts join segments using (segment_id) where slug = 'busy' and ranges <> '{}'`,
  );
  assert.deepEqual(rows[0]!.percents, inOrder);
  assert.equal((await call('GET', '/v1/segments/busy')).body.percent, inOrder.at(-1));
});

test('a change is answered with the segment as it made it, also where others follow at once', async () => {
  const { percents, answers, revisions } = await raceOf('followed', 40);
  assert.deepEqual(
    answers.map(({ body }) => [body.percent, body.updated_at]),
    percents.map((percent, i) => [percent, momentOf(revisions[i])]),
  );
});
