import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { cloneDatabase, openAgain, type TestDatabase } from '../../test/support/database.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { until } from '../../test/support/service.ts';
import { momentText } from '../http/moment.ts';
import { type Month, monthName, monthOf, startOf } from './months.ts';

const thisMonth = monthOf(Date.now());
const tableOf = (month: Month) => `past_memberships_${monthName(month)}`;

/** A database without the partitions of these months, and with so many rows that ended in the first of them. */
async function without(months: readonly Month[], rows: number): Promise<TestDatabase> {
  const database = await cloneDatabase();
  for (const month of months) await database.pool.query(`drop table if exists ${tableOf(month)}`);
  await fill(database, months[0]!, rows);
  return database;
}

const fill = ({ pool }: TestDatabase, month: Month, rows: number) =>
  pool.query(
    `insert into past_memberships
       select 'u' || i, 1, $1, $2, $1, false, 'ann', 'request', 'bob', 'request' from generate_series(1, $3::integer) i`,
    [momentText(startOf(month) - 1), momentText(startOf(month + 1) - 1), rows],
  );

/** How many rows each partition has that there is. */
async function rowsIn({ pool }: TestDatabase, months: readonly (Month | null)[]) {
  const counts = months.map(async (month) => {
    const table = month === null ? 'past_memberships_default' : tableOf(month);
    const { rows } = await pool.query<{ table: string | null }>('select to_regclass($1) as table', [table]);
    if (rows[0]!.table === null) return null;
    return (await pool.query<{ n: number }>(`select count(*) as n from ${table}`)).rows[0]!.n;
  });
  return Promise.all(counts);
}

test('there is a partition for each month of the five years to come, whatever there was before', async () => {
  const ahead = Array.from({ length: 61 }, (_, i) => thisMonth + i);
  const missing = ahead.filter((_, i) => i === 2 || i > 50);
  const database = await without(missing, 0);
  await houseOf(database).tidy();
  assert.deepEqual(
    await rowsIn(database, ahead),
    Array.from({ length: 61 }, () => 0),
  );
  assert.deepEqual(await rowsIn(database, [thisMonth + 61]), [thisMonth + 61 <= monthOf(Date.UTC(2031, 11)) ? 0 : null]);
  const indexes = await database.pool.query(`select from pg_indexes where tablename = $1`, [tableOf(missing[0]!)]);
  assert.equal(indexes.rowCount, 3);
});

test('rows that came while their month was missing go into it with all their answers, and the next ones too', async () => {
  const month = thisMonth + 1;
  const database = await without([month, month + 1], 1_000);
  assert.deepEqual(await rowsIn(database, [month, null]), [null, 1_000]);
  const all = `select * from past_memberships order by user_id`;
  const before = await database.pool.query(all);
  const house = houseOf(database);
  await house.tidy();
  assert.deepEqual(await rowsIn(database, [month, month + 1, null]), [1_000, 0, 0]);
  assert.deepEqual((await database.pool.query(all)).rows, before.rows);
  assert.deepEqual(house.strays, [0]);
  await fill(database, month + 1, 5);
  assert.deepEqual(await rowsIn(database, [month + 1, null]), [5, 0]);
});

test('a month of long ago or far ahead is made when rows of it are there', async () => {
  const database = await cloneDatabase();
  const far = [monthOf(Date.UTC(2019, 4)), thisMonth + 700];
  for (const month of far) await fill(database, month, 3);
  await houseOf(database).tidy();
  assert.deepEqual(await rowsIn(database, [...far, null]), [3, 3, 0]);
});

test('more than can be moved at once is left where it is, with an alarm, and the other months are made', async () => {
  const month = thisMonth + 1;
  const database = await without([month, month + 1], 50_001);
  const house = houseOf(database);
  await house.tidy();
  assert.deepEqual(await rowsIn(database, [month, month + 1, null]), [null, 0, 50_001]);
  assert.deepEqual(house.strays, [50_001]);
  await database.pool.query(`delete from past_memberships where user_id = 'u1'`);
  await house.tidy();
  assert.deepEqual(await rowsIn(database, [month, null]), [50_000, 0]);
  assert.deepEqual(house.strays, [50_001, 0]);
});

test('while somebody holds the table nobody waits long, and the next round makes the month; the metric tells meanwhile', async () => {
  const month = thisMonth + 1;
  const database = await without([month], 7);
  const holder = await openAgain(database).connect();
  await holder.query('begin; select count(*) from past_memberships');
  const app = await startApp({ database, housekeeping: { changesHours: 24, historyMonths: null, intervalMs: 50 } });
  const strays = async () => {
    const { body } = await app.call('GET', '/metrics');
    return /^segmentd_past_memberships_default_rows (\d+)$/m.exec(body as string)![1];
  };
  await until(async () => (await strays()) === '7', 'the rows to be counted');
  assert.deepEqual(await rowsIn(database, [month, null]), [null, 7]);
  await holder.end();
  await until(async () => (await strays()) === '0', 'the month to be made');
  assert.deepEqual(await rowsIn(database, [month, null]), [7, 0]);
});
