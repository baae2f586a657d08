import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, earlier } from '../../test/support/aging.ts';
import { type Answer, startApp } from '../../test/support/app.ts';
import { until } from '../../test/support/service.ts';
import { bucketOf } from '../rollout/bucket.ts';

const { as, call, database } = await startApp();

// H has room by hand alone; of P's ring P1 takes the first half and P2 the second; OPEN is in no group.
for (const [slug, more] of [
  ['H1', { exclusive_group: 'H' }],
  ['H2', { exclusive_group: 'H' }],
  ['H3', { exclusive_group: 'H' }],
  ['P0', { exclusive_group: 'P' }],
  ['P1', { exclusive_group: 'P', percent: 50 }],
  ['P2', { exclusive_group: 'P', percent: 50 }],
  ['OPEN', {}],
] as const)
  assert.equal((await call('POST', '/v1/segments', { slug, ...more })).status, 201);

/** A user whom nobody named yet, in the first half of P's ring: in P1. */
let count = 0;
const someone = (): string => {
  for (;;) if (bucketOf('P', `u${++count}`) < 5000) return `u${count}`;
};
const path = (userId: string) => `/v1/users/${userId}/segments`;
const change = (userId: string, body: object, by = call) => by('PATCH', path(userId), body);
const changed = async (userId: string, body: object, by = call) => {
  const answer = await change(userId, body, by);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
};
const lists = ({ added, removed, unchanged, segments }: Answer['body']): unknown => ({ added, removed, unchanged, segments });
const segmentsOf = async (userId: string, query = '') => (await call('GET', path(userId) + query)).body.segments;
const why = async (userId: string, slug: string, query = '') => (await call('GET', `${path(userId)}/${slug}${query}`)).body;
const told = async (userId: string, query = '') =>
  (await call('GET', `/v1/users/${userId}/memberships${query}`)).body.memberships.map(
    ({ segment, effect }: { segment: string; effect: string }) => `${effect} ${segment}`,
  );
const history = async (userId: string) => {
  const { body } = await call('GET', `/v1/users/${userId}/history?from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z`);
  return body.events as { at: string; segment: string; operation: string; cause: string; actor: string }[];
};
const ahead = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
const justBefore = (moment: string) => earlier(moment, 0.001);

/** That these stand in the way, and nothing was changed. */
async function isConflict(userId: string, body: object, conflicts: string[]) {
  const state = async () => [await segmentsOf(userId), (await call('GET', `/v1/users/${userId}/memberships`)).body.memberships];
  const before = await state();
  const answer = await change(userId, body);
  assert.deepEqual([answer.status, answer.body.code, answer.body.conflicts], [409, 'group_conflict', conflicts], answer.text);
  for (const slug of conflicts) assert.ok(answer.body.detail.includes(slug));
  assert.deepEqual(await state(), before);
}

test('whom one of the group has by hand no other takes, and the request changes nothing at all', async () => {
  const user = someone();
  await changed(user, { add: ['H2'] });
  await isConflict(user, { add: ['OPEN', 'H1'] }, ['H2']);
  await isConflict(user, { add: ['H1'], ttl_seconds: 5, remove: ['OPEN'] }, ['H2']);
  await isConflict(user, { add: ['H1'], replace_in_group: false }, ['H2']);
});

test('whom a percentage of the group has no other takes by hand', async () => {
  const user = someone();
  assert.deepEqual(await segmentsOf(user), ['P1']);
  await isConflict(user, { add: ['P2'] }, ['P1']);
  await isConflict(user, { add: ['P0', 'H1'] }, ['P1']);
  assert.deepEqual((await changed(user, { add: ['P1'] })).unchanged, ['P1'], 'but that one does');
});

test('conflicts of several groups are told together, in order', async () => {
  const user = someone();
  await changed(user, { add: ['H3'] });
  await isConflict(user, { add: ['P2', 'H1'] }, ['H3', 'P1']);
});

test('two adds of one group are a conflict always, also where the one or the other is there already', async () => {
  const user = someone();
  for (const more of [{}, { replace_in_group: true }, { starts_at: ahead(60) }, { remove: ['H3'] }, { ttl_seconds: 60 }])
    await isConflict(user, { add: ['H2', 'OPEN', 'H1'], ...more }, ['H1', 'H2']);
  await changed(user, { add: ['H1'] });
  await isConflict(user, { add: ['H1', 'H2'], replace_in_group: true }, ['H1', 'H2']);
  assert.deepEqual(lists(await changed(user, { add: ['H1', 'P1', 'OPEN'] })), {
    added: ['OPEN'],
    removed: [],
    unchanged: ['H1', 'P1'],
    segments: ['H1', 'OPEN', 'P1'],
  });
});

test('a slug that does not live is told before a conflict, and what makes no sense before both', async () => {
  const user = someone();
  await changed(user, { add: ['H1'] });
  assert.equal((await change(user, { add: ['H2', 'NOPE'] })).body.code, 'segment_not_found');
  assert.equal((await change(user, { add: ['H2', 'NOPE'], expires_at: '2020-01-01T00:00:00Z' })).body.code, 'invalid_request');
});

test('removes of the same request count first', async () => {
  const user = someone();
  await changed(user, { add: ['H1'] });
  assert.deepEqual(lists(await changed(user, { add: ['H2'], remove: ['H1'] })), {
    added: ['H2'],
    removed: ['H1'],
    unchanged: [],
    segments: ['H2', 'P1'],
  });
  assert.deepEqual(lists(await changed(user, { remove: ['P1'], add: ['P2'] })), {
    added: ['P2'],
    removed: ['P1'],
    unchanged: [],
    segments: ['H2', 'P2'],
  });
  assert.deepEqual(await told(user), ['include H2', 'exclude P1', 'include P2']);
  await isConflict(user, { remove: ['H1'], add: ['H3'] }, ['H2']);
});

test('who is in by hand in one is in no other by percentage, so adding that one again is no conflict', async () => {
  const user = someone();
  await changed(user, { add: ['P2'], replace_in_group: true });
  const again = await changed(user, { add: ['P2'], ttl_seconds: 60 });
  assert.deepEqual(lists(again), { added: [], removed: [], unchanged: ['P2'], segments: ['P2'] });
});

test('who was kept out of the other by hand can be added', async () => {
  const user = someone();
  await changed(user, { remove: ['P1'] });
  assert.deepEqual((await changed(user, { add: ['P2'] })).segments, ['P2']);
});

test('nobody stands in the way who has left: by an end, a remove, or with the segment', async () => {
  await call('POST', '/v1/segments', { slug: 'H.mortal', exclusive_group: 'H' });
  const user = someone();
  await changed(user, { add: ['H.mortal'] });
  await call('DELETE', '/v1/segments/H.mortal');
  await changed(user, { add: ['H1'], ttl_seconds: 60 });
  await isConflict(user, { add: ['H2'] }, ['H1']);
  await age(database, 60);
  await changed(user, { add: ['H2'] });
  await changed(user, { remove: ['H2'] });
  assert.deepEqual((await changed(user, { add: ['H3'] })).added, ['H3']);
});

test('replace_in_group ends what is there by hand or by percentage, and lists it in removed', async () => {
  const user = someone();
  await changed(user, { add: ['H1', 'OPEN'] });
  const replaced = await changed(user, { add: ['P2', 'H2'], replace_in_group: true }, as('admin'));
  assert.deepEqual(
    { ...replaced, removed: replaced.removed.toSorted() },
    { ...replaced, added: ['P2', 'H2'], removed: ['H1', 'P1'], unchanged: [], segments: ['H2', 'OPEN', 'P2'] },
  );
  assert.deepEqual(await told(user), ['include H2', 'include OPEN', 'include P2'], 'and no exclusion is recorded');
  assert.deepEqual(await told(user, '?ended=true'), ['include H1']);
  assert.deepEqual(
    (await history(user)).filter(({ at }) => at === replaced.as_of),
    [
      { segment: 'H1', operation: 'remove' },
      { segment: 'P1', operation: 'remove' },
      { segment: 'H2', operation: 'add' },
      { segment: 'P2', operation: 'add' },
    ].map((event) => ({ at: replaced.as_of, ...event, cause: 'request', actor: 'admin' })),
  );
  assert.deepEqual(lists(await changed(user, { add: ['H2'], replace_in_group: true })), {
    added: [],
    removed: [],
    unchanged: ['H2'],
    segments: ['H2', 'OPEN', 'P2'],
  });
});

test('replace_in_group leaves exclusions, and what the same request removes to its rule', async () => {
  const user = someone();
  await changed(user, { remove: ['P1'] });
  await changed(user, { add: ['P0'], replace_in_group: true });
  assert.deepEqual(await told(user), ['include P0', 'exclude P1']);
  assert.deepEqual(lists(await changed(user, { add: ['P2'], remove: ['P0', 'P1'], replace_in_group: true })), {
    added: ['P2'],
    removed: ['P0'],
    unchanged: ['P1'],
    segments: ['P2'],
  });
  const barred = someone();
  await changed(barred, { add: ['P2'], remove: ['P1'], replace_in_group: true, ttl_seconds: 60 });
  assert.deepEqual(await told(barred), ['exclude P1', 'include P2'], 'a remove under a percentage keeps out');
});

test('percentages yield to who is in by hand in another, and reach them again when that ends', async () => {
  const user = someone();
  const made = (await call('GET', '/v1/segments/P1')).body.created_at as string;
  const placed = await changed(user, { add: ['P2'], replace_in_group: true, ttl_seconds: 3600 }, as('admin'));
  const end = earlier(placed.as_of, -3600);
  const rollout = { percent: 50, bucket: bucketOf('P', user), ranges: [[0, 5000]] };
  const taken = await why(user, 'P1');
  const expected = { member: false, because: 'group_taken', since: placed.as_of, until: end, changed_by: 'admin', rollout };
  assert.deepEqual(taken, { user_id: user, segment: 'P1', ...expected, as_of: taken.as_of });
  const other = await why(user, 'P2');
  assert.deepEqual([other.because, other.since, other.until, other.changed_by], ['added', placed.as_of, end, 'admin']);
  assert.equal((await why(user, 'P0')).because, 'never_added', 'at percent 0 nothing yields');

  await age(database, 3600);
  const [was, is] = [earlier(made, 3600), placed.as_of];
  assert.deepEqual(await segmentsOf(user), ['P1']);
  const back = await why(user, 'P1');
  assert.deepEqual([back.member, back.because, back.since, back.until, back.changed_by], [true, 'rollout', is, null, 'writer']);
  assert.equal((await why(user, 'P2')).because, 'expired');
  assert.deepEqual(
    (await history(user)).map(({ at, segment, operation, cause, actor }) => [at, segment, operation, cause, actor]),
    [
      [was, 'P1', 'add', 'rollout', 'writer'],
      [earlier(placed.as_of, 3600), 'P1', 'remove', 'request', 'admin'],
      [earlier(placed.as_of, 3600), 'P2', 'add', 'request', 'admin'],
      [is, 'P2', 'remove', 'ttl', 'admin'],
      [is, 'P1', 'add', 'rollout', 'writer'],
    ],
  );
  for (const [at, segments] of [
    [justBefore(earlier(placed.as_of, 3600)), ['P1']],
    [earlier(placed.as_of, 3600), ['P2']],
    [justBefore(is), ['P2']],
    [is, ['P1']],
  ] as const)
    assert.deepEqual(await segmentsOf(user, `?at=${at}`), segments, at);
  const past = await why(user, 'P1', `?at=${justBefore(is)}`);
  assert.deepEqual([past.because, past.until, past.changed_by], ['group_taken', is, 'admin']);
});

test('a percentage that is raised over somebody who is in another by hand yields too, and is no entry', async () => {
  await call('POST', '/v1/segments', { slug: 'Y1', exclusive_group: 'Y' });
  await call('POST', '/v1/segments', { slug: 'Y2', exclusive_group: 'Y' });
  await changed('y', { add: ['Y2'] }, as('admin'));
  assert.equal((await why('y', 'Y1')).because, 'never_added');
  await call('PATCH', '/v1/segments/Y1', { percent: 100 });
  const taken = await why('y', 'Y1');
  assert.deepEqual([taken.because, taken.since, taken.changed_by], ['group_taken', null, 'admin']);
  assert.ok(!(await history('y')).some(({ segment }) => segment === 'Y1'));
  const removed = await changed('y', { remove: ['Y2'] });
  assert.deepEqual([removed.added, removed.removed, removed.segments.includes('Y1')], [[], ['Y2'], true], 'named ones alone');
  const back = await why('y', 'Y1');
  assert.deepEqual([back.because, back.since, back.changed_by], ['rollout', removed.as_of, 'writer']);
  await call('DELETE', '/v1/segments/Y1');
});

test('a membership that ended by yielding counts as not covered, once the percentage is gone', async () => {
  await call('POST', '/v1/segments', { slug: 'Z1', exclusive_group: 'Z', percent: 100 });
  await call('POST', '/v1/segments', { slug: 'Z2', exclusive_group: 'Z' });
  const placed = await changed('z', { add: ['Z2'], replace_in_group: true });
  assert.deepEqual((await why('z', 'Z1')).because, 'group_taken');
  await as('admin')('PATCH', '/v1/segments/Z1', { percent: 0 });
  const after = await why('z', 'Z1');
  assert.deepEqual(
    [after.because, after.since, after.changed_by, after.rollout],
    ['not_covered', placed.as_of, 'admin', null],
    'by who set the percentage in force',
  );
});

test('an exclusion comes before the group, and one who was excluded is not reached again', async () => {
  const user = someone();
  await changed(user, { add: ['P2'], remove: ['P1'] });
  assert.equal((await why(user, 'P1')).because, 'excluded');
  assert.deepEqual((await changed(user, { remove: ['P2'] })).segments, null);
});

test('a segment that somebody is in by hand gives way when it is deleted', async () => {
  await call('POST', '/v1/segments', { slug: 'P.mortal', exclusive_group: 'P' });
  const user = someone();
  await changed(user, { add: ['P.mortal'], replace_in_group: true });
  const { headers } = await call('DELETE', '/v1/segments/P.mortal');
  const at = new Date(Math.floor(Number(headers.revision) / 1000)).toISOString();
  assert.deepEqual(await segmentsOf(user), ['P1']);
  assert.deepEqual((await why(user, 'P1')).since, at);
  await until(async () => (await history(user)).at(-1)?.at === at, 'the moment to be settled');
  assert.deepEqual(
    (await history(user)).slice(-2).map(({ segment, cause }) => [segment, cause]),
    [
      ['P.mortal', 'segment_deleted'],
      ['P1', 'rollout'],
    ],
  );
});

test('a percentage takes over a bucket that another gives up at the same moment: out of the one, into the other', async () => {
  await call('POST', '/v1/segments', { slug: 'S1', exclusive_group: 'S', percent: 100 });
  await call('POST', '/v1/segments', { slug: 'S2', exclusive_group: 'S' });
  const at = ahead(1000);
  await call('PATCH', '/v1/segments/S1', { percent: 0, effective_at: at });
  await as('admin')('PATCH', '/v1/segments/S2', { percent: 100, effective_at: at });
  assert.deepEqual([(await why('s', 'S1')).until, (await why('s', 'S2')).until], [at, at]);
  await age(database, 1001);
  const now = earlier(at, 1001);
  assert.deepEqual(
    (await history('s')).filter((event) => event.at === now).map(({ segment, operation, actor }) => [segment, operation, actor]),
    [
      ['S1', 'remove', 'writer'],
      ['S2', 'add', 'admin'],
    ],
  );
});
