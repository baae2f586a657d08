import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age } from '../../test/support/aging.ts';
import { startApp, type TestApp } from '../../test/support/app.ts';
import { openAgain } from '../../test/support/database.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { until } from '../../test/support/service.ts';
import { housekeepingService } from './housekeeping.service.ts';

/** An app with so many users whose stay has ended, two hours ago. */
async function withEnded(users: number): Promise<TestApp> {
  const app = await startApp();
  await app.call('POST', '/v1/segments', { slug: 'A' });
  await app.database.pool.query(`insert into users select 'u' || i, now(), 1 from generate_series(1, $1::integer) i`, [users]);
  await app.database.pool.query(
    `insert into memberships select 'u' || i, segment_id, date_trunc('second', now()), date_trunc('second', now()) + interval '1 minute', date_trunc('second', now()), false, 'ann', 'import'
       from segments, generate_series(1, $1::integer) i`,
    [users],
  );
  await age(app.database, 7_200);
  return app;
}

async function rows({ database: { pool } }: TestApp) {
  const { rows } = await pool.query<{ current: number; past: number }>(
    'select (select count(*) from memberships) as current, (select count(*) from past_memberships) as past',
  );
  return [rows[0]!.current, rows[0]!.past];
}

const backends = async ({ database: { pool } }: TestApp) =>
  (
    await pool.query<{ pid: number }>(
      `select pid from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    )
  ).rows.map(({ pid }) => pid);

test('of two processes one does the work; the other takes over when its connection is gone', async () => {
  const app = await withEnded(10);
  const [one, other] = [houseOf(openAgain(app.database)), houseOf(openAgain(app.database))];
  assert.equal(await one.round(), true);
  assert.deepEqual(await rows(app), [0, 10]);
  assert.equal(await other.round(), false);
  assert.deepEqual([one.strays, other.strays], [[0], [0]], 'both tell the metric');
  await one.close();
  assert.equal(await other.round(), true);
  assert.deepEqual([...one.failures, ...other.failures], []);
});

test('a process whose backend is killed in the middle of a change has changed nothing; the next round goes on', async () => {
  const app = await withEnded(1_200);
  const blocker = await openAgain(app.database).connect();
  const house = houseOf(app.database);
  let steps = 0;
  const second = houseOf(openAgain(app.database), {
    pause: async () => {
      // After the first change: the next one waits for this in its middle, with users locked and rows deleted.
      if (steps++ === 0) await blocker.query('begin; lock table past_memberships in share mode');
    },
  });
  const round = second.round();
  const waiting = `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ~ 'apply_changes'`;
  let pid: number | undefined;
  await until(async () => {
    pid = (await app.database.pool.query<{ pid: number }>(waiting)).rows[0]?.pid;
    return pid !== undefined;
  }, 'a change to wait');
  assert.deepEqual(await backends(app), [pid]);
  await app.database.pool.query('select pg_terminate_backend($1)', [pid]);
  await round;
  await blocker.query('rollback');
  await blocker.end();
  assert.match(second.failures.join(), /terminating connection/);
  assert.deepEqual(await rows(app), [700, 500], 'what was committed is moved, the rest is untouched');
  await second.close();
  await house.tidy();
  assert.deepEqual(await rows(app), [0, 1_200]);
  const { rows: again } = await app.database.pool.query(
    'select user_id from past_memberships group by user_id having count(*) > 1',
  );
  assert.deepEqual(again, []);
});

test('it stops at once when it is closed, between two steps or in the middle of one', async () => {
  const app = await withEnded(1_200);
  const blocker = await openAgain(app.database).connect();
  await blocker.query('begin; lock table past_memberships in share mode');
  const house = houseOf(app.database);
  house.start();
  await until(async () => {
    const { rowCount } = await app.database.pool.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ~ 'apply_changes'`,
    );
    return rowCount! > 0;
  }, 'a change to wait');
  const closedAt = performance.now();
  await house.close();
  assert.ok(performance.now() - closedAt < 1_000);
  await blocker.query('rollback');
  await blocker.end();
  assert.deepEqual(house.failures, []);
  await until(async () => (await backends(app)).length === 0, 'the lock to be free');

  const resting = houseOf(openAgain(app.database), { pause: () => new Promise((resolve) => setTimeout(resolve, 20)) });
  const round = resting.round();
  await until(async () => (await rows(app))[1]! > 0, 'a first step');
  await resting.close();
  await round;
  assert.deepEqual(resting.failures, []);
});

test('users whom somebody has locked are passed over, and nobody waits for them', async () => {
  const app = await withEnded(20);
  const holder = await openAgain(app.database).connect();
  await holder.query(`begin; select from users where user_id = 'u7' for no key update`);
  const house = houseOf(app.database);
  await house.tidy();
  assert.deepEqual(await rows(app), [1, 19]);
  await holder.end();
  await house.tidy();
  assert.deepEqual(await rows(app), [0, 20]);
});

test('a task that fails is told and done again in the next round, and the others are done', async () => {
  const app = await withEnded(20);
  await app.database.pool.query('alter table changes rename to elsewhere');
  const house = houseOf(app.database);
  assert.equal(await house.round(), true);
  assert.match(house.failures.join(), /the log of changes: .*"changes" does not exist/);
  await app.database.pool.query('alter table elsewhere rename to changes');
  house.failures.length = 0;
  await house.tidy();
  assert.deepEqual(await rows(app), [0, 20]);
});

test('the app does it by itself, and answers are those of before', async () => {
  const first = await withEnded(30);
  const history = async () =>
    (await first.call('GET', `/v1/users/u3/history?from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z`)).body.events;
  const before = await history();
  assert.equal(before.length, 2);
  await startApp({ database: first.database, housekeeping: { changesHours: 24, historyMonths: null } });
  await until(async () => (await rows(first))[0] === 0, 'all to be moved');
  assert.deepEqual(await history(), before);
});

test('a task is done again after its time, and after a failure in the next round', async () => {
  const { database } = await startApp();
  let begun = 0;
  const failures: string[] = [];
  const daily = {
    name: 'daily',
    everyMs: 86_400_000,
    async *steps() {
      if (begun++ === 0) throw new Error('not today');
      yield;
    },
  };
  const onFailure = (what: string, error: unknown) => failures.push(`${what}: ${String(error)}`);
  const service = housekeepingService({ database, tasks: [daily], pause: async () => {}, onFailure, onStrays: () => {} });
  for (const times of [1, 2, 2]) {
    assert.equal(await service.round(), true);
    assert.equal(begun, times);
  }
  assert.deepEqual(failures, ['daily: Error: not today']);
  await service.close();
});
