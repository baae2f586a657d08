import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { PoolClient } from 'pg';
import { type Answer, startApp } from '../../test/support/app.ts';
import { until } from '../../test/support/service.ts';
import { membershipsStore } from './memberships.store.ts';

const { call, database } = await startApp();
const { pool } = database;

before(async () => {
  for (const slug of ['A', 'B']) assert.equal((await call('POST', '/v1/segments', { slug })).status, 201);
});

const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(2, '0')}`);
const change = (userId: string, body: object = { add: ['A'] }) => call('PATCH', `/v1/users/${userId}/segments`, body);
const burst = (users: readonly string[], body?: object) => Promise.all(users.map((userId) => change(userId, body)));
const segmentsOf = async (userId: string) => (await call('GET', `/v1/users/${userId}/segments`)).body.segments as string[] | null;
const count = async (text: string, values: unknown[] = []) => (await pool.query(text, values)).rowCount!;
const calls = (users: readonly string[]) => count('select from changes where user_ids && $1', [users]);

function assertAll(answers: readonly Answer[], status: number) {
  for (const answer of answers) assert.equal(answer.status, status, answer.text);
}

/** What another session does and has not committed, until `end`. */
async function meanwhile(text: string): Promise<{ client: PoolClient; end: (how: 'commit' | 'rollback') => Promise<void> }> {
  const client = await pool.connect();
  await client.query(`begin; ${text}`);
  return {
    client,
    end: async (how) => {
      await client.query(how);
      client.release();
    },
  };
}

/** Somebody's answer, and whether it has come. */
function pending(answer: Promise<Answer>) {
  const state = { answer, hasCome: false };
  void answer.finally(() => (state.hasCome = true));
  return state;
}

/** The calls of apply_changes that wait for a lock, by when they began. */
const blockedCalls = async () =>
  (
    await pool.query<{ began: string }>(`select query_start::text as began from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%apply_changes%' order by 1`)
  ).rows.map(({ began }) => began);
const untilBlocked = (what: string, calls = 1) => until(async () => (await blockedCalls()).length >= calls, what);

test('changes of different users that wait together share calls, and each is answered its own', async () => {
  const users = names('many', 40);
  const answers = await burst(users);
  assertAll(answers, 200);
  assert.deepEqual(
    answers.map(({ body }) => body.user_id),
    users,
  );
  const together = await calls(users);
  assert.ok(together <= 8, `${together} calls for 40 users`);
  assert.equal(await count(`select from memberships where user_id like 'many%'`), 40);
  assertAll(await burst(users, { add: ['B'], remove: ['A'] }), 200);
  for (const user of users) assert.deepEqual(await segmentsOf(user), ['B']);
  assert.ok((await calls(users)) <= 16);
});

test('whom the database refuses fails alone; the others of the burst are stored', async () => {
  const users = names('fine', 30);
  assertAll(await burst(['poison']), 200);
  await pool.query(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
    create trigger refuse before insert on memberships for each row when (new.user_id = 'poison') execute function refuse()`);
  try {
    const [first, poisoned, ...rest] = await burst([users[0]!, 'poison', ...users.slice(1)], { add: ['B'] });
    assert.equal(poisoned!.status, 500, poisoned!.text);
    assertAll([first!, ...rest], 200);
  } finally {
    await pool.query('drop trigger refuse on memberships; drop function refuse');
  }
  for (const user of users) assert.deepEqual(await segmentsOf(user), ['B']);
  assert.deepEqual(await segmentsOf('poison'), ['A']);
  assert.equal(await calls(['poison']), 1);
});

test('a user whose history is ahead of the clock is refused alone', async () => {
  const users = names('punctual', 10);
  await change('ahead');
  await pool.query(`update users set revision = revision + 60000000 where user_id = 'ahead'`);
  const [ahead, ...others] = await burst(['ahead', ...users], { add: ['B'] });
  assert.deepEqual([ahead!.status, ahead!.body.code], [503, 'clock_behind']);
  assertAll(others, 200);
});

test('nobody waits for a row that another session has locked, and its user is answered when it is free', async () => {
  const users = names('free', 20);
  await burst(['held', ...users]);
  const before = await calls(users);
  const other = await meanwhile(`select from users where user_id = 'held' for update`);
  const held = pending(change('held', { add: ['B'] }));
  assertAll(await burst(users, { add: ['B'] }), 200);
  assert.ok((await calls(users)) - before <= 5, 'they go together although one is held');
  await untilBlocked('the held user to be waited for');
  assertAll(await burst(users, { remove: ['B'] }), 200);
  assert.equal(held.hasCome, false);
  await other.end('commit');
  assert.equal((await held.answer).status, 200);
  assert.deepEqual(await segmentsOf('held'), ['A', 'B']);
});

test('a held user who came first, and alone, holds nobody up', async () => {
  await burst(['slow', 'quick']);
  const other = await meanwhile(`select from users where user_id = 'slow' for update`);
  const slow = pending(change('slow', { add: ['B'] }));
  await untilBlocked('the held user to be waited for');
  const blocked = await blockedCalls();
  assertAll(await burst(['quick'], { add: ['B'] }), 200);
  assert.deepEqual([slow.hasCome, await blockedCalls()], [false, blocked], 'no wait had to end for it');
  await other.end('rollback');
  assert.equal((await slow.answer).status, 200);
});

test('several held users wait beside each other', async () => {
  const [one, two] = ['held1', 'held2'];
  await burst([one, two]);
  const others = [
    await meanwhile(`select from users where user_id = '${one}' for update`),
    await meanwhile(`select from users where user_id = '${two}' for update`),
  ];
  const [first, second] = [one, two].map((userId) => pending(change(userId, { add: ['B'] })));
  await untilBlocked('both to be waited for', 2);
  await others[1]!.end('commit');
  assert.equal((await second!.answer).status, 200);
  assert.equal(first!.hasCome, false);
  await others[0]!.end('commit');
  assert.equal((await first!.answer).status, 200);
});

for (const how of ['commit', 'rollback'] as const) {
  test(`nobody waits for a user whom another session is making, who is answered at its ${how}`, async () => {
    const [newcomer, users] = [`newcomer-${how}`, names(`beside-${how}`, 20)];
    await burst(users.slice(0, 10));
    const other = await meanwhile(`insert into users values ('${newcomer}', date_trunc('milliseconds', now()), 1000)`);
    const waiting = pending(change(newcomer));
    assertAll(await burst(users, { add: ['B'] }), 200);
    await untilBlocked('the new user to be waited for');
    assertAll(await burst(users, { remove: ['B'] }), 200);
    assert.equal(waiting.hasCome, false);
    await other.end(how);
    assert.equal((await waiting.answer).status, 200);
    assert.deepEqual(await segmentsOf(newcomer), ['A']);
  });
}

test('a call whose connection is lost is answered as unknown, and sent by nobody again', async () => {
  const users = names('lost', 40);
  const gate = await meanwhile('lock table gate in exclusive mode');
  const answers = burst(users);
  await untilBlocked('the call to wait for the gate');
  assert.ok(
    await count(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%apply_changes%'`),
  );
  await gate.end('rollback');
  const lost: string[] = [];
  for (const [i, { status, body, text }] of (await answers).entries()) {
    if (status === 503) lost.push(users[i]!);
    if (status === 503) assert.equal(body.code, 'database_unavailable');
    else assert.equal(status, 200, text);
  }
  assert.ok(lost.length >= 2, `${lost.length} were in the call`);
  assert.equal(await count('select from users where user_id = any ($1)', [lost]), 0);
  assert.equal(await count(`select from memberships where user_id like 'lost%'`), 40 - lost.length);
  assertAll(await burst(lost), 200);
});

/** Straight to a store: what is given to it in one tick waits together. */
const decided = (userId: string, given: { version: number; revision?: number | null; rows?: number }) => ({
  userId,
  revision: given.revision ?? null,
  version: given.version,
  decidedAt: 0,
  decision: {
    endings: [],
    beginnings: Array.from({ length: given.rows ?? 1 }, (_, i) => ({
      segmentId: 1 + i,
      startsAt: null,
      excluded: false,
      end: { kind: 'never' as const },
      since: null,
      cause: 'request' as const,
      by: 'test',
    })),
    added: [],
    removed: [],
    unchanged: [],
    goodUntil: Infinity,
  },
});
const version = async () => (await pool.query<{ version: number }>('select version from definitions')).rows[0]!.version;
const written = async (userIds: string[]) =>
  (
    await pool.query<{ user_ids: string[] }>('select user_ids from changes where user_ids && $1 order by at, user_ids', [userIds])
  ).rows.map(({ user_ids }) => user_ids.sort());

test('a stale decision is told to its sender; the others of its call stand', async () => {
  const now = await version();
  const { apply } = membershipsStore(database);
  const [a, stale, b] = await Promise.all([
    apply(decided('s1', { version: now })),
    apply(decided('s2', { version: now, revision: 5 })),
    apply(decided('s3', { version: now })),
  ]);
  assert.ok(a.outcome === 'applied');
  assert.deepEqual([stale, b], [{ outcome: 'stale' }, a]);
  assert.deepEqual(await written(['s1', 's2', 's3']), [['s1', 's3']]);
  assert.equal(await count(`select from memberships where user_id = 's2'`), 0);
});

for (const first of ['old', 'new']) {
  test(`decisions on two versions of the definitions go apart; the ${first} one waits first`, async () => {
    const now = await version();
    const { apply } = membershipsStore(database);
    const users = names(`two-${first}`, 4);
    const versions = first === 'old' ? [now - 1, now, now, now - 1] : [now, now - 1, now - 1, now];
    const outcomes = await Promise.all(users.map((userId, i) => apply(decided(userId, { version: versions[i]! }))));
    assert.deepEqual(
      outcomes.map(({ outcome }) => outcome),
      versions.map((one) => (one === now ? 'applied' : 'stale')),
    );
    assert.deepEqual(await written(users), [users.filter((_, i) => versions[i] === now)]);
  });
}

test('two decisions on one user go one after the other, and the second is stale', async () => {
  const now = await version();
  const { apply } = membershipsStore(database);
  const outcomes = await Promise.all(['twice', 'once', 'twice'].map((userId) => apply(decided(userId, { version: now }))));
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['applied', 'applied', 'stale'],
  );
  assert.deepEqual(await written(['twice', 'once']), [['once', 'twice']]);
});

test('a large decision goes alone, and at most a hundred users in a call', async () => {
  const now = await version();
  const { apply } = membershipsStore(database);
  const users = names('small', 150);
  const outcomes = await Promise.all([
    apply(decided('large', { version: now, rows: 101 })),
    ...users.map((userId) => apply(decided(userId, { version: now, rows: userId === 'small00' ? 100 : 1 }))),
  ]);
  assert.deepEqual([...new Set(outcomes.map(({ outcome }) => outcome))], ['applied']);
  assert.deepEqual(
    (await written(['large', ...users])).map((one) => one.length).sort((a, b) => a - b),
    [1, 50, 100],
  );
  assert.equal((await written(['large']))[0]!.length, 1);
});

test('a batch of one sender waits for the row that somebody else has', async () => {
  await burst(['b1', 'b2', 'b3']);
  const { rows } = await pool.query<{ revisions: number[] }>(
    `select array_agg(revision order by user_id)::text[] as revisions from users where user_id in ('b1', 'b2', 'b3')`,
  );
  const other = await meanwhile(`select from users where user_id = 'b2' for update`);
  const batch = pool.query<{ outcome: string; stale: string[]; busy: string[] }>(
    `select outcome, stale, busy from apply_changes($1, 0, '{b1,b2,b3}', $2, '{infinity,infinity,infinity}', '{}', '{}', '{}', '{}', '{}', '{}',
      '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')`,
    [await version(), rows[0]!.revisions],
  );
  await untilBlocked('the batch to wait');
  await other.end('commit');
  assert.deepEqual((await batch).rows, [{ outcome: 'applied', stale: [], busy: [] }]);
});

test('what was decided for the next millisecond is not applied in this one', async () => {
  for (let round = 0; round < 50; round++) {
    const { rows } = await pool.query<{ outcome: string; now: number; moment: number }>(
      `select outcome, now, revision / 1000 as moment
         from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint / 1000 as now) as clock,
              apply_changes($1, (now + 1) * 1000, array[$2], array[null]::bigint[], '{infinity}', '{}', '{}', '{}', '{}', '{}', '{}',
                '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')`,
      [await version(), `decided-ahead-${round}`],
    );
    const { outcome, now, moment } = rows[0]!;
    assert.equal(outcome, 'applied');
    assert.ok(moment > now, `decided for ${now + 1}, applied at ${moment}`);
  }
});
