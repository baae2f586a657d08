import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, earlier } from '../../test/support/aging.ts';
import { startApp } from '../../test/support/app.ts';
import { until } from '../../test/support/service.ts';
import { bucketOf } from '../rollout/bucket.ts';

const { another, as, call, database } = await startApp();

const create = async (slug: string, more: object = {}) => {
  const created = await call('POST', '/v1/segments', { slug, ...more });
  assert.equal(created.status, 201, created.text);
  return created.body;
};
const rate = async (slug: string, percent: number, effectiveAt?: string, by = call) => {
  const body = { percent, ...(effectiveAt === undefined ? {} : { effective_at: effectiveAt }) };
  const changed = await by('PATCH', `/v1/segments/${slug}`, body);
  assert.equal(changed.status, 200, changed.text);
  return changed;
};
const read = async (slug: string) => (await call('GET', `/v1/segments/${slug}`)).body;
const cancel = (slug: string, moment: string | number, by = call) =>
  by('DELETE', `/v1/segments/${slug}/scheduled/${typeof moment === 'number' ? moment : Date.parse(moment)}`);
const isIn = async (userId: string, slug: string, query = ''): Promise<boolean> =>
  (await call('GET', `/v1/users/${userId}/segments${query}`)).body.segments?.includes(slug) ?? false;
const ahead = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
const scheduled = (percent: number, at: string) => ({
  id: String(Date.parse(at)),
  percent,
  ranges: percent === 0 ? [] : [[0, percent * 100]],
  effective_at: at,
});

test('a scheduled percentage changes nothing until its moment but updated_at and the list of what is to come', async () => {
  const made = await create('plain', { percent: 10 });
  const at = ahead(3600);
  const { body, headers } = await rate('plain', 30, at);
  assert.deepEqual(body, { ...made, updated_at: body.updated_at, scheduled: [scheduled(30, at)] });
  assert.equal(Date.parse(body.updated_at), Math.floor(Number(headers.revision) / 1000));
  assert.deepEqual(await read('plain'), { ...body, members: 0, rollout_estimate: 0 });
  const { segments } = (await call('GET', '/v1/segments?prefix=plain')).body;
  assert.deepEqual(segments, [{ ...body, members: 0, rollout_estimate: 0 }]);
});

test('its moment is a whole millisecond of any offset, shown in UTC', async () => {
  const { body } = await call('PATCH', '/v1/segments/plain', { percent: 0, effective_at: '2998-12-31T23:00:00.007-02:30' });
  assert.deepEqual(body.scheduled.at(-1), scheduled(0, '2999-01-01T01:30:00.007Z'));
  await cancel('plain', '2999-01-01T01:30:00.007Z');
});

test('several may stand, in the order of their moments; the same moment replaces', async () => {
  const [first, second, third] = [ahead(1000), ahead(2000), ahead(3000)];
  await create('several');
  await rate('several', 20, second);
  await rate('several', 5, third);
  await rate('several', 50, first);
  const shown = async () => (await read('several')).scheduled;
  assert.deepEqual(await shown(), [scheduled(50, first), scheduled(20, second), scheduled(5, third)]);
  await rate('several', 70, second);
  assert.deepEqual(await shown(), [scheduled(50, first), scheduled(70, second), scheduled(5, third)]);
});

test('the same again is no change: neither updated_at nor the revision moves, whoever asks', async () => {
  const before = await read('several');
  const [{ percent, effective_at }] = before.scheduled;
  const { revision } = (await call('PATCH', '/v1/segments/several', { description: '' })).headers;
  const again = await rate('several', percent, effective_at, as('admin'));
  assert.deepEqual([again.body.updated_at, again.body.scheduled], [before.updated_at, before.scheduled]);
  assert.equal(again.headers.revision, revision);
});

test('an immediate change leaves them standing and shows them', async () => {
  const before = await read('several');
  const { body } = await rate('several', 60);
  assert.deepEqual([body.percent, body.ranges, body.scheduled], [60, [[0, 6000]], before.scheduled]);
  const told = (await call('PATCH', '/v1/segments/several', { description: 'told' })).body;
  assert.deepEqual([told.percent, told.scheduled], [60, before.scheduled]);
});

test('one is taken back by its id, the others stand; then it is not found any more', async () => {
  const before = await read('several');
  const [first, second, third] = before.scheduled;
  const answer = await cancel('several', second.effective_at, as('admin'));
  assert.deepEqual([answer.status, answer.text], [204, '']);
  const after = await read('several');
  assert.deepEqual([after.percent, after.scheduled], [60, [first, third]]);
  assert.equal(Date.parse(after.updated_at), Math.floor(Number(answer.headers.revision) / 1000));
  assert.ok(after.updated_at > before.updated_at);
  const again = await cancel('several', second.effective_at);
  assert.deepEqual([again.status, again.body.code], [404, 'scheduled_change_not_found']);
  assert.deepEqual(await read('several'), after);
});

test('an id under which nothing is scheduled is not found, nor one of a segment that is not there', async () => {
  const { created_at } = await read('several');
  for (const id of ['0', '-1', 'abc', '1e3', '01', '9'.repeat(20), Date.parse(created_at), '%00']) {
    const { status, body } = await call('DELETE', `/v1/segments/several/scheduled/${id}`);
    assert.deepEqual([status, body.code], [404, 'scheduled_change_not_found'], String(id));
    assert.ok(!body.detail.includes('NaN'), body.detail);
  }
  const { status, body } = await cancel('nowhere', ahead(1000));
  assert.deepEqual([status, body.code], [404, 'segment_not_found']);
  const [{ effective_at }] = (await read('several')).scheduled;
  assert.equal((await cancel('several', effective_at, as('read'))).status, 403);
});

for (const [what, body, path] of [
  ['in the past', { percent: 5, effective_at: '2020-01-01T00:00:00Z' }, 'effective_at'],
  ['without a percentage', { effective_at: '2999-01-01T00:00:00Z' }, 'effective_at'],
  ['with a description', { percent: 5, description: 'x', effective_at: '2999-01-01T00:00:00Z' }, 'description'],
  ['for a description alone', { description: 'x', effective_at: '2999-01-01T00:00:00Z' }, 'effective_at'],
  ['at no moment', { percent: 5, effective_at: '2999-01-01' }, 'effective_at'],
  ['at null', { percent: 5, effective_at: null }, 'effective_at'],
  ['at part of a millisecond', { percent: 5, effective_at: '2999-01-01T00:00:00.0001Z' }, 'effective_at'],
  ['past the year 9999', { percent: 5, effective_at: '9999-12-31T23:59:59-01:00' }, 'effective_at'],
  ['in finer steps than there are', { percent: 0.001, effective_at: '2999-01-01T00:00:00Z' }, 'percent'],
] as const) {
  test(`a percentage ${what} is refused, and changes nothing`, async () => {
    const before = await read('several');
    const { status, body: problem } = await call('PATCH', '/v1/segments/several', body);
    assert.deepEqual([status, problem.code, problem.errors[0].path], [400, 'invalid_request', path]);
    assert.deepEqual(await read('several'), before);
    for (const query of ['', '?dry_run=true'])
      assert.equal((await call('PATCH', `/v1/segments/nowhere${query}`, body)).status, 400, 'said before that there is none');
  });
}

test('a moment that is now over is the past: the clock of the database decides', async () => {
  const { body } = await rate('several', 61);
  const { status, body: problem } = await call('PATCH', '/v1/segments/several', { percent: 5, effective_at: body.updated_at });
  assert.deepEqual([status, problem.errors[0].path], [400, 'effective_at']);
});

test('it happens at its moment, in every process, with nothing done, and the history names who scheduled it', async () => {
  await create('due', { percent: 10 });
  const other = await another();
  const at = ahead(0.3);
  const { body: planned } = await rate('due', 100, at, as('admin'));
  const user = Array.from({ length: 99 }, (_, i) => `u${i}`).find((name) => bucketOf('due', name) >= 1000)!;
  assert.equal(planned.percent, 10);
  for (const by of [call, other])
    await until(async () => (await by('GET', '/v1/segments/due')).body.percent === 100, 'it to happen');
  assert.ok(Date.now() >= Date.parse(at), 'not before its moment');
  assert.deepEqual(await read('due'), {
    ...planned,
    percent: 100,
    ranges: [[0, 10_000]],
    scheduled: [],
    members: 0,
    rollout_estimate: (await read('due')).rollout_estimate,
  });
  await until(async () => (await call('GET', `/v1/users/${user}/segments?at=${at}`)).status === 200, 'the moment to be settled');
  assert.deepEqual([await isIn(user, 'due', `?at=${earlier(at, 0.001)}`), await isIn(user, 'due', `?at=${at}`)], [false, true]);
  const { body: why } = await call('GET', `/v1/users/${user}/segments/due`);
  assert.deepEqual([why.member, why.because, why.since, why.until, why.changed_by], [true, 'rollout', at, null, 'admin']);
  assert.deepEqual(why.rollout.ranges, [[0, 10_000]]);
  const { events } = (await call('GET', `/v1/users/${user}/history?from=${planned.created_at}&to=2999-01-01T00:00:00Z`)).body;
  assert.deepEqual(events, [{ at, segment: 'due', operation: 'add', cause: 'rollout', actor: 'admin' }]);
});

test('before its moment who will enter and who will leave can be foreseen, and no history tells of it', async () => {
  const made = await create('foreseen', { percent: 100 });
  const [raised, lowered] = [ahead(2000), ahead(1000)];
  await rate('foreseen', 0, lowered);
  await rate('foreseen', 100, raised);
  const why = async () => (await call('GET', '/v1/users/x/segments/foreseen')).body;
  assert.deepEqual([(await why()).because, (await why()).since, (await why()).until], ['rollout', made.created_at, lowered]);
  await cancel('foreseen', lowered);
  assert.equal((await why()).until, null, 'from all to all nobody leaves');
  await rate('foreseen', 0);
  assert.deepEqual([(await why()).because, (await why()).until], ['not_covered', raised]);
  const { events } = (await call('GET', `/v1/users/x/history?from=${made.created_at}&to=2999-01-01T00:00:00Z`)).body;
  assert.deepEqual(
    events
      .filter(({ segment }: { segment: string }) => segment === 'foreseen')
      .map(({ operation }: { operation: string }) => operation),
    ['add', 'remove'],
  );
});

test('removing where a percentage is only scheduled keeps the user out of it; where none is, it does not', async () => {
  const at = ahead(1000);
  await create('barring');
  await call('PATCH', '/v1/users/early/segments', { remove: ['barring'] });
  await rate('barring', 100, at);
  const { body } = await call('PATCH', '/v1/users/late/segments', { remove: ['barring'] });
  assert.deepEqual(body.unchanged, ['barring']);
  const { memberships } = (await call('GET', '/v1/users/late/memberships')).body;
  assert.deepEqual(
    memberships.map(({ segment, effect }: { segment: string; effect: string }) => [segment, effect]),
    [['barring', 'exclude']],
  );
  await rate('barring', 0, ahead(2000));
  await age(database, 1500);
  assert.deepEqual([await isIn('early', 'barring'), await isIn('late', 'barring')], [true, false]);
  await age(database, 1000);
  assert.deepEqual([await isIn('early', 'barring'), await isIn('late', 'barring')], [false, false]);
});

test('a deleted segment takes what was scheduled along', async () => {
  await create('mortal');
  const at = ahead(500);
  await rate('mortal', 100, at);
  await call('DELETE', '/v1/segments/mortal');
  assert.equal((await cancel('mortal', at)).body.code, 'segment_not_found');
  assert.deepEqual((await create('mortal')).scheduled, []);
  assert.equal((await cancel('mortal', at)).body.code, 'scheduled_change_not_found');
  await age(database, 501);
  assert.equal(await isIn('anybody', 'mortal'), false);
});

test('taking back is refused where others in the group count on what it would have freed, and changes nothing', async () => {
  const [at, later] = [ahead(1000), ahead(2000)];
  await create('count.a', { percent: 70, exclusive_group: 'G.count' });
  await create('count.b', { percent: 20, exclusive_group: 'G.count' });
  await rate('count.a', 30, at);
  await rate('count.b', 40, later);
  const [a, b] = [await read('count.a'), await read('count.b')];
  const refused = await cancel('count.a', at);
  assert.deepEqual([refused.status, refused.body.code, typeof refused.body.free], [409, 'group_full', 'number']);
  assert.deepEqual(refused.body.holders, [
    { slug: 'count.a', percent: 30 },
    { slug: 'count.b', percent: 40 },
  ]);
  const moved = await call('PATCH', '/v1/segments/count.a', { percent: 65, effective_at: at });
  assert.deepEqual([moved.status, moved.body.code], [409, 'group_full'], 'nor may it be replaced by one that frees less');
  assert.deepEqual([await read('count.a'), await read('count.b')], [a, b]);
  assert.equal((await cancel('count.b', later)).status, 204);
  assert.equal((await cancel('count.a', at)).status, 204);
  assert.deepEqual((await read('count.a')).scheduled, []);
});

test('taking back a raise in the middle keeps what follows, with its size', async () => {
  const [first, second] = [ahead(1000), ahead(2000)];
  await create('middle.a', { percent: 10, exclusive_group: 'G.middle' });
  await rate('middle.a', 50, first);
  await rate('middle.a', 80, second);
  assert.equal((await cancel('middle.a', first)).status, 204);
  const { percent, scheduled: standing } = await read('middle.a');
  assert.deepEqual([percent, standing], [10, [scheduled(80, second)]]);
});

test('of changes of one segment at once, now and to come, by two processes, none is lost', async () => {
  await create('busy');
  const calls = [call, await another()];
  const moments = Array.from({ length: 10 }, (_, i) => ahead(1000 + i));
  const answers = await Promise.all([
    ...moments.map((at, i) => calls[i % 2]!('PATCH', '/v1/segments/busy', { percent: i + 1, effective_at: at })),
    ...moments.map((_, i) => calls[i % 2]!('PATCH', '/v1/segments/busy', { percent: 50 + i })),
  ]);
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const { scheduled: standing } = await read('busy');
  assert.deepEqual(
    standing,
    moments.map((at, i) => scheduled(i + 1, at)),
  );
});
