import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age } from '../../test/support/aging.ts';
import { startApp } from '../../test/support/app.ts';
import { openAgain } from '../../test/support/database.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { usersCut, usersEnded } from './moving.store.ts';

const soon = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

async function start() {
  const { call, as, database } = await startApp();
  for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
  const change = async (userId: string, body: object, by = call) => {
    const answer = await by('PATCH', `/v1/users/${userId}/segments`, body);
    assert.equal(answer.status, 200, answer.text);
    return answer;
  };
  const rows = async (table: string, columns: string) =>
    (await database.pool.query<{ row: string }>(`select concat_ws(' ', ${columns}) as row from ${table} order by 1`)).rows.map(
      ({ row }) => row,
    );
  return {
    call,
    as,
    database,
    change,
    current: () => rows('memberships join segments using (segment_id)', 'user_id, slug'),
    past: () => rows('past_memberships join segments using (segment_id)', 'user_id, slug, ended_cause, ended_by'),
  };
}

test('an end that came by itself is moved as ttl, by who set it', async () => {
  const { as, database, change, current, past } = await start();
  await change('1', { add: ['A'], ttl_seconds: 60 }, as('admin'));
  await change('2', { add: ['A'], ttl_seconds: 9_000 });
  await change('3', { add: ['A'] });
  await age(database, 3_700);
  await houseOf(database).tidy();
  assert.deepEqual([await current(), await past()], [['2 A', '3 A'], ['1 A ttl admin']]);
});

test('what has been over for less than an hour is left to the next change', async () => {
  const { database, change, current, past } = await start();
  await change('1', { add: ['A'], ttl_seconds: 60 });
  await age(database, 3_600);
  const house = houseOf(database, { restedMs: 3_600_000 });
  await house.tidy();
  assert.deepEqual([await current(), await past()], [['1 A'], []]);
  await age(database, 61);
  await house.tidy();
  assert.deepEqual([await current(), await past()], [[], ['1 A ttl writer']]);
});

test('a stay that a plan has cut is moved with the start of the plan as its end, by who made the plan', async () => {
  const { as, database, change, current, past } = await start();
  await change('1', { add: ['A'] });
  await change('1', { add: ['A'], starts_at: soon(60) }, as('admin'));
  await change('2', { add: ['A'] });
  await change('2', { add: ['A'], starts_at: soon(60), ttl_seconds: 60 }, as('admin'));
  await change('3', { add: ['A'] });
  await change('3', { add: ['A'], starts_at: soon(9_000) }, as('admin'));
  await age(database, 3_700);
  await houseOf(database).tidy();
  assert.deepEqual(await current(), ['1 A', '3 A', '3 A']);
  assert.deepEqual(await past(), ['1 A request admin', '2 A request admin', '2 A ttl admin']);
});

test('what stood in a deleted segment is moved with the deletion as its end; what was planned there leaves no trace', async () => {
  const { call, as, database, change, current, past } = await start();
  await change('1', { add: ['A', 'B'] });
  await change('2', { add: ['A'], starts_at: soon(9_000) });
  await change('3', { add: ['A'], ttl_seconds: 60 });
  await age(database, 600);
  await as('admin')('DELETE', '/v1/segments/A');
  await age(database, 3_700);
  await call('POST', '/v1/segments', { slug: 'A' });
  await change('3', { add: ['A'] });
  await houseOf(database).tidy();
  assert.deepEqual(
    [await current(), await past()],
    [
      ['1 B', '3 A'],
      ['1 A segment_deleted admin', '3 A ttl writer'],
    ],
  );
});

test('a deleted segment with thousands of members and a file with one end are moved in batches', async () => {
  const { call, database, current, past } = await start();
  await database.pool.query(
    `insert into users select s.slug || i, now(), 1 from segments s, generate_series(1, 2600) i;
     insert into memberships select s.slug || i, segment_id, '2026-06-01', case when s.slug = 'B' then '2026-06-02' else 'infinity' end::timestamptz,
         '2026-06-01', false, 'ann', 'import' from segments s, generate_series(1, 2600) i`,
  );
  await call('DELETE', '/v1/segments/A');
  const moved = async () => (await database.pool.query('select from changes where cardinality(user_ids) > 0')).rowCount!;
  await houseOf(database, { restedMs: 0 }).tidy();
  assert.deepEqual(await current(), []);
  assert.equal((await past()).length, 5200);
  assert.equal(await moved(), 12, 'six changes of at most 500 users for each');
});

test('a user who is moved has a new revision, in the log too, and one with nothing over is not touched', async () => {
  const { call, database, change } = await start();
  await change('1', { add: ['A'], ttl_seconds: 60 });
  await change('2', { add: ['A'] });
  await age(database, 3_700);
  const users = async () => (await database.pool.query<{ revision: number }>('select revision from users order by user_id')).rows;
  const [first, second] = await users();
  await houseOf(database).tidy();
  const [moved, left] = await users();
  assert.ok(moved!.revision > first!.revision);
  assert.equal(left!.revision, second!.revision);
  const { rows } = await database.pool.query('select user_ids from changes order by at desc limit 1');
  assert.deepEqual(rows, [{ user_ids: ['1'] }]);
  const { body } = await call('GET', `/v1/users/1/segments?min_revision=${moved!.revision}`);
  assert.equal(body.segments, null);
});

test('the search for what was cut sees a pair that two pages divide, and the one for ends goes on behind the last', async () => {
  const { database } = await start();
  await database.pool.query(
    `insert into memberships select 'u' || i, 1, timestamptz '2026-06-01' + j * interval '1 day', 'infinity', '2026-06-01', false, 'ann', 'request'
       from generate_series(10, 40) i, generate_series(1, case when i = 10 then 1 else 2 end) j`,
  );
  const client = await openAgain(database).connect();
  const all = async (lists: AsyncGenerator<readonly string[]>) => (await Array.fromAsync(lists)).flat();
  const expected = Array.from({ length: 30 }, (_, i) => `u${i + 11}`);
  for (const keys of [1, 2, 3, 7, 1000]) {
    const found = await all(usersCut(client, Date.now(), keys));
    assert.deepEqual([...new Set(found)].sort(), expected, `${keys} keys at once`);
  }
  assert.deepEqual(await all(usersCut(client, Date.parse('2026-06-02T12:00:00Z'))), []);
  await database.pool.query(`update memberships set ends_at = '2026-07-01' where user_id < 'u20'`);
  assert.deepEqual(new Set(await all(usersEnded(client, Date.now()))), new Set(Array.from({ length: 10 }, (_, i) => `u1${i}`)));
  await client.end();
});
