import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age } from '../../test/support/aging.ts';
import { startApp } from '../../test/support/app.ts';
import { cloneDatabase, type TestDatabase } from '../../test/support/database.ts';
import { importFile } from '../../test/support/imports.ts';
import type { Database } from '../db/database.ts';
import { monthName, monthOf } from '../housekeeping/months.ts';
import { check } from './checking.service.ts';
import { type Finding, type Rows, type Rule, rules, type Warning, warnings } from './finding.ts';

async function findingsOf(database: Database): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const page of check(database).findings) found.push(...page);
  return found;
}

/** Something of everything: the past and plans, percentages and a group, exclusions, a deleted segment, a file with rejected rows. */
async function populate(): Promise<TestDatabase> {
  const { app, call, database } = await startApp({ imports: {} });
  const does = async (...request: Parameters<typeof call>) => {
    const { status, text } = await call(...request);
    assert.ok(status < 300, text);
  };
  const patch = (userId: string, body: object) => does('PATCH', `/v1/users/${userId}/segments`, body);
  for (const slug of ['A', 'B', 'D', 'E']) await does('POST', '/v1/segments', { slug });
  for (const [slug, percent] of [
    ['G1', 20],
    ['G2', 30],
  ] as const)
    await does('POST', '/v1/segments', { slug, percent, exclusive_group: 'G' });
  await patch('u1', { add: ['A', 'B'] });
  await patch('u1', { remove: ['B'] });
  await age(database, 3_600);
  await database.pool.query('delete from changes'); // which was not aged
  await does('PATCH', '/v1/segments/A', { percent: 50 });
  await does('PATCH', '/v1/segments/A', { percent: 70, effective_at: '2035-01-01T00:00:00Z' });
  await patch('u1', { add: ['B'] });
  await patch('u1', { add: ['D'], ttl_seconds: 60 });
  await patch('u2', { add: ['B'] });
  await patch('u2', { add: ['A'] });
  await patch('u2', { add: ['D'], starts_at: '2035-01-01T00:00:00Z' });
  await patch('u3', { add: ['G1'], replace_in_group: true });
  await patch('u3', { remove: ['A'] });
  await patch('u3', { add: ['A'], starts_at: '2035-01-01T00:00:00Z', ttl_seconds: 60 });
  await patch('u4', { add: ['D'] });
  await importFile(call, 'B', 'operation=add', 'u4\nu5\nnot one\nu5\n');
  for (const slug of ['D', 'E']) await does('DELETE', `/v1/segments/${slug}`);
  await patch('u5', { add: ['A'] });
  await app.close();
  return database;
}

interface Plant {
  readonly finds: readonly (Rule | Warning)[];
  /** What the first finding says of the rows. */
  readonly rows: Rows;
  readonly sql: string | ((database: Database) => Promise<unknown>);
}

const plant = (finds: string, rows: Rows, sql: Plant['sql']): Plant => ({
  finds: finds.split(' ') as Plant['finds'],
  rows,
  sql,
});

const b = `segment_id = (select segment_id from segments where slug = 'B')`;
const ofB = (userId: string) => `user_id = '${userId}' and ${b}`;
const hour = 3_600_000_000;
const thisMonth = monthOf(Date.now());

const plants: readonly Plant[] = [
  plant(
    'user_id_invalid',
    { user_id: 'a b' },
    `insert into users select 'a b', known_since, revision from users where user_id = 'u1'`,
  ),
  plant('user_id_invalid', { user_id: '' }, `insert into users select '', known_since, revision from users where user_id = 'u1'`),
  plant('user_missing', { user_id: 'u1', stays: 4 }, `delete from changes; delete from users where user_id = 'u1'`),
  plant(
    'revision_behind_log',
    { user_id: 'u3' },
    `delete from memberships where user_id = 'u3'; delete from users where user_id = 'u3'`,
  ),
  plant(
    'user_known_late',
    { user_id: 'u1' },
    `update users set known_since = known_since + interval '1 ms' where user_id = 'u1'`,
  ),
  plant(
    'revision_behind_stay',
    { user_id: 'u1', segment_id: 2 },
    `delete from changes; update users set revision = extract(epoch from known_since) * 1000000 where user_id = 'u1'`,
  ),
  plant(
    'revision_behind_stay',
    { user_id: 'u5', segment_id: 2 },
    `delete from changes; update memberships set starts_at = starts_at + interval '1 hour', since = since + interval '1 hour' where ${ofB('u5')}`,
  ),
  plant(
    'revision_behind_log',
    { user_id: 'u2' },
    `update users set revision = extract(epoch from known_since) * 1000000 where user_id = 'u2'`,
  ),
  plant(
    'revision_behind_log',
    { user_id: null },
    `update changes set at = at + interval '1 ms'
    where cardinality(user_ids) = 0 and at = (select moment_of(revision) from definitions)`,
  ),
  plant('revision_ahead_of_clock', { user_id: 'u2' }, `update users set revision = revision + ${hour} where user_id = 'u2'`),

  plant(
    'stay_without_segment',
    { user_id: 'u2', segment_id: 99, segment: null },
    `update memberships set segment_id = 99 where ${ofB('u2')}`,
  ),
  plant(
    'stay_moment_odd',
    { user_id: 'u2', segment: 'B' },
    `update memberships set starts_at = starts_at + interval '1 us' where ${ofB('u2')}`,
  ),
  plant(
    'stay_moment_odd',
    { user_id: 'u2', ends_at: 'out of range' },
    `update memberships set ends_at = '10000-01-01Z' where ${ofB('u2')}`,
  ),
  plant('stay_empty', { user_id: 'u2', segment: 'B' }, `update memberships set ends_at = starts_at where ${ofB('u2')}`),
  plant(
    'stay_outside_life',
    { user_id: 'u4', segment: 'D', ended_cause: 'request' },
    `with d as (select segment_id, created_at, deleted_at + interval '1 ms' as after from segments where slug = 'D'),
      moved as (delete from memberships m using d where m.user_id = 'u4' and m.segment_id = d.segment_id returning m.*, d.after)
     insert into past_memberships select user_id, segment_id, starts_at, after, since, excluded, begun_by, begun_cause, 'x', 'request' from moved;
     update users set revision = (select extract(epoch from deleted_at) * 1000000 + 2000 from segments where slug = 'D') where user_id = 'u4';
     delete from changes`,
  ),
  plant(
    'stay_outside_life',
    { user_id: 'u4', segment: 'D', begun_cause: 'import' },
    `update memberships m set starts_at = d.deleted_at + interval '1 ms', since = d.deleted_at, begun_cause = 'import'
       from segments d where d.slug = 'D' and m.user_id = 'u4' and m.segment_id = d.segment_id;
     update users set revision = (select extract(epoch from deleted_at) * 1000000 + 2000 from segments where slug = 'D') where user_id = 'u4'`,
  ),
  plant(
    'stay_since_odd',
    { user_id: 'u2', segment: 'B' },
    `update memberships set since = starts_at + interval '1 ms' where ${ofB('u2')}`,
  ),
  plant(
    'stay_cause_unknown',
    { user_id: 'u2', begun_cause: 'magic' },
    `update memberships set begun_cause = 'magic' where ${ofB('u2')}`,
  ),
  plant(
    'stay_ended_in_future revision_behind_stay',
    { user_id: 'u1' },
    `insert into past_memberships select user_id, segment_id, starts_at, '2030-01-01Z', since, excluded, begun_by, begun_cause, 'x', 'request'
       from memberships where user_id = 'u1' and segment_id = 1;
     delete from memberships where user_id = 'u1' and segment_id = 1`,
  ),
  plant(
    'stays_overlap',
    { user_id: 'u1', segment: 'B', ended_cause: 'request' },
    `update past_memberships p set ends_at = m.starts_at + interval '1 ms' from memberships m
      where p.user_id = 'u1' and m.user_id = 'u1' and m.segment_id = p.segment_id`,
  ),
  plant(
    'stays_overlap',
    { user_id: 'u1', segment: 'B', ended_cause: null },
    `update memberships m set starts_at = p.starts_at - interval '1 ms', since = p.starts_at - interval '1 ms' from past_memberships p
      where p.user_id = 'u1' and m.user_id = 'u1' and m.segment_id = p.segment_id;
     update users set known_since = known_since - interval '1 ms' where user_id = 'u1'`,
  ),
  ...(['request', 'import'] as const).map((cause) =>
    plant(
      'stays_overlap',
      { user_id: 'u2', segment: 'B', begun_cause: 'request' },
      `insert into memberships select user_id, segment_id, starts_at + interval '1 ms', ends_at, since ${cause === 'import' ? '' : `+ interval '1 ms'`},
         excluded, begun_by, '${cause}' from memberships where ${ofB('u2')}`,
    ),
  ),
  plant(
    'stays_planned_twice',
    { user_id: 'u2', segment: 'B', next_starts_at: '2037-01-01T00:00:00.000Z' },
    `insert into memberships select user_id, segment_id, moment, moment + interval '1 day', since, excluded, begun_by, begun_cause
       from memberships, unnest(array['2036-01-01Z', '2037-01-01Z']::timestamptz[]) moment where ${ofB('u2')}`,
  ),
  plant('events_broken slug_shared', { user_id: 'u1', segment: 'A' }, `update segments set slug = 'A' where slug = 'B'`),
  plant(
    'group_shared',
    { user_id: 'u3', group: 'G', segments: 'G1,G2' },
    `insert into memberships select user_id, (select segment_id from segments where slug = 'G2'), starts_at, ends_at, since, excluded, begun_by,
       begun_cause from memberships where user_id = 'u3' and segment_id = (select segment_id from segments where slug = 'G1')`,
  ),

  plant('segment_moment_odd', { segment: 'B' }, `update segments set updated_at = updated_at + interval '1 us' where slug = 'B'`),
  plant('segment_life_empty', { segment: 'B' }, `update segments set updated_at = created_at - interval '1 s' where slug = 'B'`),
  plant('segment_deletion_odd', { segment: 'B' }, `update segments set deleted_by = 'x' where slug = 'B'`),
  plant('slug_shared', { segment: 'B', other_segment_id: 2 }, `update segments set slug = 'B' where slug = 'E'`),
  plant('group_salt_odd', { segment: 'G1' }, `update segments set salt = 'G1' where slug = 'G1'`),
  plant(
    'rollout_moment_odd',
    { segment: 'A' },
    `update rollouts set to_at = to_at + interval '1 us' where to_at < now(); update rollouts r set from_at = p.to_at from rollouts p
      where p.segment_id = r.segment_id and p.to_at < now() and r.from_at > p.from_at and r.from_at < now()`,
  ),
  plant('rollouts_apart', { segment: 'A' }, `update rollouts set to_at = to_at - interval '1 ms' where to_at < now()`),
  plant('rollouts_apart', { segment: 'A' }, `update rollouts set to_at = '2036-01-01Z' where to_at = '2035-01-01Z'`),
  plant('rollouts_apart', { segment: 'B' }, `delete from rollouts where ${b}`),
  plant('rollout_ends', { segment: 'B' }, `update rollouts set to_at = '2035-01-01Z' where ${b}`),
  plant(
    'rollout_outside_ring',
    { segment_id: 2, ranges: '{[0,10001)}' },
    `update rollouts set ranges = '{[0,10001)}' where ${b}`,
  ),
  plant('rollout_outside_ring', { segment_id: 2, ranges: '{[-5,0)}' }, `update rollouts set ranges = '{[-5,0)}' where ${b}`),
  plant('rollout_not_lowest', { segment: 'B', ranges: '[5,10)' }, `update rollouts set ranges = '{[5,10)}' where ${b}`),
  plant(
    'group_ranges_overlap',
    { segment: 'G2', ranges: '[1999,5000)', other_segment: 'G1' },
    `update rollouts set ranges = '{[1999,5000)}' where ranges = '{[2000,5000)}'`,
  ),
  plant('definitions_behind', { version: 1 }, `update definitions set version = 1`),
  plant('definitions_behind', { segment: 'E' }, `delete from changes; update definitions set revision = revision - 1000`),
  plant('definitions_ahead_of_clock', {}, `update definitions set revision = revision + ${hour}`),

  plant(
    'settled_ahead_of_clock',
    {},
    `select setval('settled', (extract(epoch from clock_timestamp()) * 1000000)::bigint + ${hour})`,
  ),
  plant('kept_ahead_of_clock', { kept_from: '2035-01-01T00:00:00.000Z' }, `update history_kept set kept_from = '2035-01-01Z'`),
  plant(
    'log_ahead_of_clock',
    { user_id: null },
    `update changes set at = at + interval '1 hour' where cardinality(user_ids) = 0`,
  ),
  plant('month_missing', { month: '2026_03' }, `drop table past_memberships_2026_03`),
  plant(
    'month_bounds_odd',
    { partition: 'past_memberships_2031_12' },
    `drop table past_memberships_2031_12;
     create table past_memberships_2031_12 partition of past_memberships for values from ('2032-01-01Z') to ('2032-02-01Z')`,
  ),

  plant('import_counts_odd', { state: 'done', received: 4 }, `update imports set applied = applied + 1`),
  plant('import_rejects_odd', { rejected: 2, rejects: 1 }, `delete from import_rejects where line = 3`),
  plant('import_end_odd', { state: 'done', finished_at: null }, `update imports set finished_at = null`),
  plant('import_without_segment', { state: 'done' }, `update imports set segment_id = 99`),
  plant('import_rows_missing', { state: 'running' }, `update imports set state = 'running', finished_at = null`),
  plant('key_odd', { key: 'reader', scope: 'root' }, `update api_keys set scope = 'root' where name = 'reader'`),

  plant('rows_without_month', { rows: 1 }, async (database) => {
    await database.pool.query('delete from changes');
    await age(database, 400 * 86_400);
  }),
  plant('months_running_out', { month: monthName(thisMonth + 3) }, `drop table past_memberships_${monthName(thisMonth + 3)}`),
  plant('rows_left', { table: `import_rows_${'0'.repeat(32)}` }, `create table import_rows_${'0'.repeat(32)} ()`),
  plant(
    'rows_left',
    {},
    `do $$ begin execute (select 'create table import_rows_' || replace(import_id::text, '-', '') || ' ()' from imports); end $$`,
  ),
  plant('no_admin_key', { keys: 4 }, `update api_keys set revoked_at = now() where scope = 'admin'`),
];

/** What the rows are put back into after each plant. */
const tables =
  'definitions segments rollouts users memberships past_memberships changes history_kept imports import_rejects api_keys'.split(
    ' ',
  );

const sound = await populate();
const kept = `create schema kept; ${tables.map((table) => `create table kept.${table} as table public.${table}`).join(';')}`;
await sound.pool.query(kept);
const { rows: marks } = await sound.pool.query<{ last_value: number }>('select last_value from settled');
await sound.pool.query(
  `alter table memberships drop constraint memberships_check; alter table api_keys drop constraint api_keys_scope_check;
   drop index segments_living_slug`,
);

async function putBack({ pool }: Database) {
  await pool.query(
    `${tables
      .toReversed()
      .map((table) => `delete from ${table}`)
      .join(';')};
     ${tables.map((table) => `insert into ${table} overriding system value table kept.${table}`).join(';')};
     select setval('settled', ${marks[0]!.last_value})`,
  );
}

test('a sound database has nothing to find, and all of it is counted', async () => {
  const { findings, tally } = check(sound);
  for await (const page of findings) assert.deepEqual(page, []);
  assert.deepEqual(tally, { users: 5, stays: 14, segments: 6, imports: 1, violations: 0, warnings: 0 });
});

for (const { finds, rows, sql } of plants) {
  test(`finds ${finds.join(' and ')} of ${JSON.stringify(rows)}`, async () => {
    const isTable = typeof sql === 'string' && /(create|drop) table/.test(sql);
    const database = isTable ? await cloneDatabase({ from: sound, poolSize: 2 }) : sound;
    if (typeof sql === 'string') await database.pool.query(sql);
    else await sql(database);
    const found = await findingsOf(database);
    if (database === sound) await putBack(sound);
    assert.deepEqual([...new Set(found.map(({ rule }) => rule))].sort(), [...finds].sort(), JSON.stringify(found, null, 1));
    const first = found.find(({ rule }) => rule === finds[0])!;
    assert.deepEqual({ ...first.rows, ...rows }, first.rows);
  });
}

test('the database is as sound as before', async () => {
  assert.deepEqual(await findingsOf(sound), []);
});

test('each rule and each warning is broken by one of these', () => {
  const broken = new Set(plants.flatMap(({ finds }) => finds));
  assert.deepEqual([...broken].sort(), [...Object.keys(rules), ...Object.keys(warnings)].sort());
});
