import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, earlier } from '../../test/support/aging.ts';
import { startApp } from '../../test/support/app.ts';
import { until } from '../../test/support/service.ts';

const { as, call, database } = await startApp();

for (const [slug, more] of [
  ['A', {}],
  ['B', {}],
  ['H1', { exclusive_group: 'H' }],
  ['H2', { exclusive_group: 'H' }],
] as const)
  assert.equal((await call('POST', '/v1/segments', { slug, ...more })).status, 201);

const path = (userId: string) => `/v1/users/${userId}/segments`;
const change = (userId: string, body: object, by = call) => by('PATCH', path(userId), body);
const changed = async (userId: string, body: object, by = call) => {
  const answer = await change(userId, body, by);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
};
const segmentsOf = async (userId: string, query = '') => (await call('GET', path(userId) + query)).body.segments;
const why = async (userId: string, slug: string, query = '') => (await call('GET', `${path(userId)}/${slug}${query}`)).body;
const told = async (userId: string, query = '') =>
  (await call('GET', `/v1/users/${userId}/memberships${query}`)).body.memberships;
/** Without the segment that one test gives to everybody. */
const history = async (userId: string) => {
  const { body } = await call('GET', `/v1/users/${userId}/history?from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z`);
  const events = body.events as { at: string; segment: string; operation: string; cause: string; actor: string }[];
  return events.filter(({ segment }) => segment !== 'RATED');
};
const ahead = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
const later = (moment: string, seconds: number) => earlier(moment, -seconds);
const include = (segment: string, starts_at: string, ends_at: string | null = null, changed_by = 'writer') => ({
  segment,
  effect: 'include',
  starts_at,
  ends_at,
  changed_by,
});

test('a planned start changes nothing yet: it is listed, and foreseen by the reason', async () => {
  const starts_at = ahead(3600);
  const answer = await changed('listed', { add: ['B', 'A'], starts_at });
  const { added, removed, unchanged, segments } = answer;
  assert.deepEqual([added, removed, unchanged, segments], [[], [], ['B', 'A'], null]);
  assert.equal(Date.parse(answer.as_of), Math.floor(Number(answer.revision) / 1000), 'the revision moves');
  assert.deepEqual([await segmentsOf('listed'), await history('listed')], [null, []]);
  assert.deepEqual(await told('listed'), [include('A', starts_at), include('B', starts_at)]);
  assert.deepEqual(await told('listed', '?ended=true'), []);
  const reason = await why('listed', 'A');
  assert.deepEqual([reason.because, reason.since, reason.until, reason.changed_by], ['never_added', null, starts_at, null]);
  assert.deepEqual((await call('GET', '/v1/segments/A/members')).body.members, []);
});

test('it begins at its moment with nothing done, by who planned it', async () => {
  const starts_at = ahead(0.3);
  await changed('begins', { add: ['A'], starts_at }, as('admin'));
  assert.equal(await segmentsOf('begins'), null);
  await until(async () => (await segmentsOf('begins')) !== null, 'the plan to begin');
  assert.ok(Date.now() >= Date.parse(starts_at), 'not before its moment');
  const reason = await why('begins', 'A');
  assert.deepEqual([reason.because, reason.since, reason.until, reason.changed_by], ['added', starts_at, null, 'admin']);
  await until(async () => (await history('begins')).length > 0, 'the moment to be settled');
  assert.deepEqual(await history('begins'), [
    { at: starts_at, segment: 'A', operation: 'add', cause: 'request', actor: 'admin' },
  ]);
  assert.equal(await segmentsOf('begins', `?at=${earlier(starts_at, 0.001)}`), null);
  assert.deepEqual(await segmentsOf('begins', `?at=${starts_at}`), ['A']);
  const { members } = (await call('GET', '/v1/segments/A/members')).body;
  assert.deepEqual(members, [{ user_id: 'begins', since: starts_at, until: null }]);
});

test('a TTL counts from the start, and the end is the end of the plan', async () => {
  const starts_at = ahead(3600);
  await changed('ttl', { add: ['A'], starts_at, ttl_seconds: 60 });
  await changed('ttl', { add: ['B'], starts_at, expires_at: later(starts_at, 30) });
  assert.deepEqual(await told('ttl'), [
    include('A', starts_at, later(starts_at, 60)),
    include('B', starts_at, later(starts_at, 30)),
  ]);
  await age(database, 3630);
  assert.deepEqual(await segmentsOf('ttl'), ['A']);
  await age(database, 30);
  assert.equal(await segmentsOf('ttl'), null);
  const begun = earlier(starts_at, 3660);
  assert.deepEqual(
    (await history('ttl')).map(({ at, segment, cause }) => [at, segment, cause]),
    [
      [begun, 'A', 'request'],
      [begun, 'B', 'request'],
      [later(begun, 30), 'B', 'ttl'],
      [later(begun, 60), 'A', 'ttl'],
    ],
  );
});

test('a remove before the start cancels it, and leaves neither event nor trace', async () => {
  await changed('cancelled', { add: ['A'], starts_at: ahead(3600) });
  const removed = await changed('cancelled', { remove: ['A'] });
  assert.deepEqual([removed.removed, removed.unchanged], [[], ['A']]);
  assert.deepEqual([await told('cancelled'), await told('cancelled', '?ended=true')], [[], []]);
  await age(database, 3601);
  assert.deepEqual([await segmentsOf('cancelled'), await history('cancelled')], [null, []]);
});

test('a remove takes out both the present membership and the plan', async () => {
  await changed('both', { add: ['A'] });
  await changed('both', { add: ['A'], starts_at: ahead(3600), ttl_seconds: 60 });
  assert.equal((await told('both')).length, 2);
  assert.deepEqual((await changed('both', { remove: ['A'] })).removed, ['A']);
  assert.deepEqual(await told('both'), []);
  await age(database, 3601);
  assert.equal(await segmentsOf('both'), null);
});

test('one plan a pair stands: a later one replaces it, the same again is no change', async () => {
  const [first, second] = [ahead(3600), ahead(1800)];
  await changed('again', { add: ['A'], starts_at: first, ttl_seconds: 60 });
  const { revision } = await changed('again', { add: ['A'], starts_at: second }, as('admin'));
  assert.deepEqual(await told('again'), [include('A', second, null, 'admin')]);
  assert.equal((await changed('again', { add: ['A'], starts_at: second })).revision, revision);
  assert.deepEqual(await told('again'), [include('A', second, null, 'admin')]);
  const moved = await changed('again', { add: ['A'], starts_at: second, ttl_seconds: 60 });
  assert.ok(Number(moved.revision) > Number(revision), 'another end is another plan');
  assert.deepEqual(await told('again'), [include('A', second, later(second, 60))]);
});

test('an add for now replaces the plan', async () => {
  const starts_at = ahead(3600);
  await changed('now', { add: ['A'], starts_at, ttl_seconds: 60 });
  const added = await changed('now', { add: ['A'] });
  assert.deepEqual([added.added, await told('now')], [['A'], [include('A', added.as_of)]]);
});

test('until the start what held goes on, then the plan takes over, without an event where that is unbroken', async () => {
  const held = await changed('unbroken', { add: ['A', 'B'] });
  await changed('unbroken', { add: ['B'], ttl_seconds: 60 });
  const starts_at = ahead(3600);
  const planned = await changed('unbroken', { add: ['A', 'B'], starts_at, ttl_seconds: 600 }, as('admin'));
  assert.deepEqual(
    [planned.unchanged, planned.segments],
    [
      ['A', 'B'],
      ['A', 'B'],
    ],
  );
  const [a, b] = [await why('unbroken', 'A'), await why('unbroken', 'B')];
  assert.deepEqual([a.since, a.until, a.changed_by], [held.as_of, later(starts_at, 600), 'writer']);
  assert.equal(Date.parse(b.until) < Date.parse(starts_at), true, 'that one ends before, and comes again');
  await age(database, 3601);
  const begun = earlier(starts_at, 3601);
  const after = await why('unbroken', 'A');
  assert.deepEqual([after.since, after.until, after.changed_by], [earlier(held.as_of, 3601), later(begun, 600), 'admin']);
  assert.equal((await why('unbroken', 'B')).since, begun);
  assert.deepEqual(
    (await history('unbroken')).map(({ segment, operation }) => `${operation} ${segment}`),
    ['add A', 'add B', 'remove B', 'add B'],
  );
  await age(database, 600);
  assert.equal(await segmentsOf('unbroken'), null);
});

test('a plan for somebody who is kept out lets them in at its start, and lifts the exclusion for good', async () => {
  await call('POST', '/v1/segments', { slug: 'RATED', percent: 100 });
  await changed('barred', { remove: ['RATED'] });
  const starts_at = ahead(3600);
  await changed('barred', { add: ['RATED'], starts_at, ttl_seconds: 60 });
  assert.deepEqual(
    (await told('barred')).map(({ effect }: { effect: string }) => effect),
    ['exclude', 'include'],
  );
  assert.equal(await segmentsOf('barred'), null);
  await age(database, 3601);
  assert.deepEqual([await segmentsOf('barred'), (await why('barred', 'RATED')).because], [['RATED'], 'added']);
  await age(database, 60);
  assert.deepEqual([await segmentsOf('barred'), (await why('barred', 'RATED')).because], [['RATED'], 'rollout']);
  await call('DELETE', '/v1/segments/RATED');
});

test('a plan of a segment that is deleted before comes to nothing', async () => {
  await call('POST', '/v1/segments', { slug: 'MORTAL' });
  await changed('mortal', { add: ['MORTAL'], starts_at: ahead(3600) });
  await call('DELETE', '/v1/segments/MORTAL');
  await call('POST', '/v1/segments', { slug: 'MORTAL' });
  assert.deepEqual(await told('mortal'), []);
  await age(database, 3601);
  assert.deepEqual([await segmentsOf('mortal'), await history('mortal')], [null, []]);
});

const far = '2999-01-01T00:00:00Z';
for (const [what, body, field] of [
  ['in the past', { add: ['A'], starts_at: '2020-01-01T00:00:00Z' }, 'starts_at'],
  ['after its end', { add: ['A'], starts_at: far, expires_at: '2998-01-01T00:00:00Z' }, 'expires_at'],
  ['at its end', { add: ['A'], starts_at: far, expires_at: far }, 'expires_at'],
  ['so late that the TTL leads past all time', { add: ['A'], starts_at: '9999-12-31T23:59:59Z', ttl_seconds: 1 }, 'ttl_seconds'],
  ['with replace_in_group', { add: ['A'], starts_at: far, replace_in_group: true }, 'replace_in_group'],
  ['of nothing', { remove: ['A'], starts_at: far }, 'starts_at'],
  ['at no moment', { add: ['A'], starts_at: 'tomorrow' }, 'starts_at'],
  ['at null', { add: ['A'], starts_at: null }, 'starts_at'],
] as const) {
  test(`a start ${what} is refused, and plans nothing`, async () => {
    const { status, body: problem } = await change('refused', { ...body });
    assert.deepEqual([status, problem.code, problem.errors[0].path], [400, 'invalid_request', field]);
    assert.deepEqual(await told('refused'), []);
  });
}

/** That the group refuses it, and nothing was changed. */
async function isConflict(userId: string, body: object, conflicts: string[]) {
  const before = await told(userId);
  const answer = await change(userId, body);
  assert.deepEqual([answer.status, answer.body.code, answer.body.conflicts], [409, 'group_conflict', conflicts], answer.text);
  assert.deepEqual(await told(userId), before);
}

test('a plan of the group conflicts for its time, to the millisecond, with what is now and with other plans', async () => {
  const [from, to] = [ahead(3600), ahead(7200)];
  const soon = ahead(600);
  await changed('time', { add: ['H1'], starts_at: from, expires_at: to });
  await isConflict('time', { add: ['H2'] }, ['H1']);
  await isConflict('time', { add: ['H2'], expires_at: later(from, 0.001) }, ['H1']);
  await isConflict('time', { add: ['H2'], ttl_seconds: 3700 }, ['H1']);
  await isConflict('time', { add: ['H2'], starts_at: soon }, ['H1']);
  await isConflict('time', { add: ['H2'], starts_at: soon, ttl_seconds: 3100 }, ['H1']);
  await isConflict('time', { add: ['H2'], starts_at: earlier(to, 0.001) }, ['H1']);
  await isConflict('time', { add: ['H2'], starts_at: later(from, 10), ttl_seconds: 10 }, ['H1']);
  await changed('time', { add: ['H2'], expires_at: from });
  await changed('time', { add: ['H2'], starts_at: to });
  assert.equal((await told('time')).length, 3);
  await age(database, 3601);
  assert.deepEqual(await segmentsOf('time'), ['H1']);
  await age(database, 3600);
  assert.deepEqual(await segmentsOf('time'), ['H2']);
});

test('what is in by hand conflicts with a plan for as long as it lasts; end it first, then plan', async () => {
  const starts_at = ahead(3600);
  await changed('switch', { add: ['H1'] });
  await isConflict('switch', { add: ['H2'], starts_at }, ['H1']);
  await changed('switch', { add: ['H1'], expires_at: starts_at });
  await changed('switch', { add: ['H2'], starts_at });
  await age(database, 3600);
  const at = earlier(starts_at, 3600);
  assert.deepEqual(
    (await history('switch')).slice(1).map((event) => [event.at, event.operation, event.segment]),
    [
      [at, 'remove', 'H1'],
      [at, 'add', 'H2'],
    ],
  );
});

test('removes of the same request, and replace_in_group, clear plans out of the way', async () => {
  await changed('cleared', { add: ['H1'], starts_at: ahead(3600) });
  await changed('cleared', { add: ['H2'], remove: ['H1'] });
  assert.deepEqual((await told('cleared')).length, 1);
  await changed('cleared', { add: ['H2'], expires_at: ahead(600) });
  await changed('cleared', { add: ['H1'], starts_at: ahead(600.001) });
  const replaced = await changed('cleared', { add: ['H2'], replace_in_group: true });
  assert.deepEqual([replaced.removed, replaced.unchanged], [[], ['H2']], 'who was not in yet is not taken out');
  assert.deepEqual(
    (await told('cleared')).map(({ segment, ends_at }: { segment: string; ends_at: string }) => [segment, ends_at]),
    [['H2', null]],
  );
});

test('a plan that is moved away does not let what it would have ended run into the plan of another', async () => {
  const [a, b, c] = [ahead(1000), ahead(2000), ahead(3000)];
  await changed('moved', { add: ['H1'] });
  await changed('moved', { add: ['H1'], starts_at: a, expires_at: b });
  await changed('moved', { add: ['H2'], starts_at: b, expires_at: c });
  // H1 by hand was to end with its plan; without it H1 would go on until then, while H2 begins.
  await isConflict('moved', { add: ['H1'], starts_at: c }, ['H2']);
  await changed('moved', { add: ['H1'], starts_at: a, expires_at: earlier(b, 1) });
  await age(database, 2001);
  assert.deepEqual(await segmentsOf('moved'), ['H2']);
});

test('a percentage yields to a plan of the group while it lasts, and is no conflict for it', async () => {
  await call('POST', '/v1/segments', { slug: 'P1', exclusive_group: 'P', percent: 100 });
  await call('POST', '/v1/segments', { slug: 'P2', exclusive_group: 'P' });
  const starts_at = ahead(3600);
  const planned = await changed('yields', { add: ['P2'], starts_at, ttl_seconds: 600 }, as('admin'));
  assert.deepEqual([planned.unchanged, planned.segments], [['P2'], ['P1']]);
  assert.deepEqual([(await why('yields', 'P1')).until, (await why('yields', 'P2')).until], [starts_at, starts_at]);
  await age(database, 3601);
  const [from, to] = [earlier(starts_at, 3601), later(earlier(starts_at, 3601), 600)];
  const taken = await why('yields', 'P1');
  assert.deepEqual([taken.because, taken.since, taken.until, taken.changed_by], ['group_taken', from, to, 'admin']);
  assert.deepEqual(await segmentsOf('yields'), ['P2']);
  await age(database, 600);
  assert.deepEqual(await segmentsOf('yields'), ['P1']);
  assert.deepEqual(
    (await history('yields'))
      .slice(1)
      .map(({ at, segment, operation, cause, actor }) => [later(at, 600), segment, operation, cause, actor]),
    [
      [from, 'P1', 'remove', 'request', 'admin'],
      [from, 'P2', 'add', 'request', 'admin'],
      [to, 'P2', 'remove', 'ttl', 'admin'],
      [to, 'P1', 'add', 'rollout', 'writer'],
    ],
  );
  await call('DELETE', '/v1/segments/P1');
});
