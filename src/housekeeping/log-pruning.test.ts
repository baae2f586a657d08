import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase, openAgain, type TestDatabase } from '../../test/support/database.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { until } from '../../test/support/service.ts';

/** Changes that are so many hours old, in the order of their transactions; their ids. */
async function log({ pool }: TestDatabase, ages: readonly number[]): Promise<bigint[]> {
  const ids: bigint[] = [];
  for (const age of ages) {
    const { rows } = await pool.query<{ xid: string }>(
      `insert into changes values (pg_current_xact_id(), clock_timestamp() - $1 * interval '1 hour', '{u}') returning xid::text`,
      [age],
    );
    ids.push(BigInt(rows[0]!.xid));
  }
  return ids;
}

async function state({ pool }: TestDatabase) {
  const left = await pool.query<{ xid: string }>('select xid::text from changes order by xid');
  const { rows } = await pool.query<{ below: string }>('select below::text from changes_pruned');
  return { left: left.rows.map(({ xid }) => BigInt(xid)), below: BigInt(rows[0]!.below) };
}

/** Other databases of the server run tests too. */
const pastAll = ({ pool }: TestDatabase, id: bigint) =>
  until(
    async () => {
      const { rows } = await pool.query<{ xmin: string }>('select pg_snapshot_xmin(pg_current_snapshot())::text as xmin');
      return BigInt(rows[0]!.xmin) > id;
    },
    'all older transactions of the server to end',
    30_000,
  );

test('what is older than it is kept is dropped, up to the mark, and nothing else', async () => {
  const database = await cloneDatabase();
  const ids = await log(database, [30, 25, 25, 23, 26, 1]);
  await pastAll(database, ids.at(-1)!);
  await houseOf(database).tidy();
  // The fifth is older, but behind one that is kept: the mark is a place in the order of transactions.
  assert.deepEqual(await state(database), { left: ids.slice(3), below: ids[2]! + 1n });
});

test('with the log goes the mark by moment, and planned starts up to it', async () => {
  const database = await cloneDatabase();
  const { pool } = database;
  const ids = await log(database, [30, 40, 25, 1]);
  await pool.query(`insert into planned_starts select at, 'u' from changes`);
  await pool.query(
    `insert into planned_starts select clock_timestamp() + i * interval '1 minute', 'u' from generate_series(-2, 2) i`,
  );
  await pastAll(database, ids.at(-1)!);
  await houseOf(database).tidy();
  const { rows } = await pool.query<{ hours: number; planned: number }>(
    `select round(extract(epoch from clock_timestamp() - up_to) / 3600)::integer as hours, (select count(*) from planned_starts) as planned
      from changes_pruned`,
  );
  assert.deepEqual(rows, [{ hours: 25, planned: 6 }]);
});

test('thousands are dropped in batches', async () => {
  const database = await cloneDatabase();
  await database.pool.query(
    `do $$ begin
       for i in 1..2500 loop
         insert into changes values (pg_current_xact_id(), clock_timestamp() - interval '3 days', '{u}');
         commit;
       end loop;
     end $$`,
  );
  const [last, ...ids] = await log(database, [48, 0]);
  await pastAll(database, ids[0]!);
  await houseOf(database).tidy();
  assert.deepEqual(await state(database), { left: ids, below: last! + 1n });
});

test('a transaction that has been open for days keeps back what came after it: no follower is behind the mark', async () => {
  const database = await cloneDatabase();
  const [before] = await log(database, [30]);
  await pastAll(database, before!);
  const open = await openAgain(database).connect();
  await open.query('begin; select pg_current_xact_id()');
  const ids = await log(database, [29, 29]);
  const house = houseOf(database);
  await house.tidy();
  assert.deepEqual(await state(database), { left: ids, below: before! + 1n });
  await open.end();
  await pastAll(database, ids.at(-1)!);
  await house.tidy();
  assert.deepEqual(await state(database), { left: [], below: ids.at(-1)! + 1n });
});

test('a log that came with a dump of another server is forgotten, with its mark', async () => {
  const database = await cloneDatabase();
  const ids = await log(database, [1]);
  await database.pool.query(`insert into changes values ('9000000000000', clock_timestamp() - interval '2 hours', '{u}')`);
  await database.pool.query(`update changes_pruned set below = '8000000000000'`);
  await houseOf(database).tidy();
  assert.deepEqual(await state(database), { left: ids, below: 0n });
  const { rowCount } = await database.pool.query(
    `select from changes_pruned where up_to > clock_timestamp() - interval '3 hours'`,
  );
  assert.equal(rowCount, 1); // streams from before may have missed it
});
