import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase } from '../../test/support/database.ts';
import { clockOf } from '../../test/support/functions.ts';
import { until } from '../../test/support/service.ts';

// How far the function of the database promises that nothing is written any more, whatever holds the gate.
const { pool } = await cloneDatabase();

const settled = async () => (await pool.query<{ settled: number }>('select settle() as settled')).rows[0]!.settled;
const clock = () => clockOf(pool);

/** What settles while another session's transaction holds the gate, and when that began, in microseconds. */
async function beside(begin: string, text = 'lock table gate in row share mode') {
  const writer = await pool.connect();
  try {
    await writer.query(begin);
    await writer.query(`begin; ${text}`);
    const { rows } = await writer.query<{ began: number }>('select (extract(epoch from now()) * 1000000)::bigint as began');
    const { began } = rows[0]!;
    await until(async () => (await clock()) > began + 20_000, 'some time to pass');
    return { began, before: await settled(), after: await settled() };
  } finally {
    await writer.query('rollback');
    writer.release(true);
  }
}

test('without a writer all that is a whole millisecond old is settled', async () => {
  const before = await clock();
  const at = await settled();
  assert.ok(at <= (await clock()) - 1_000 && at > before - 3_000);
  assert.equal(at % 1_000, 0);
});

test('beside a writer it is what lies before the beginning of its transaction, and no less', async () => {
  const { began, before, after } = await beside('select 1');
  assert.ok(before < began && before >= began - 2_000, `${before - began} µs`);
  assert.equal(after, before);
});

test('whoever only reads the gate, or holds another table, is no writer', async () => {
  for (const text of ['lock table gate in access share mode', 'lock table users in row exclusive mode']) {
    const { began, before } = await beside('select 1', text);
    assert.ok(before > began);
  }
});

test('beside a writer of whom nothing is told, nothing new is promised', async () => {
  const known = await settled();
  await until(async () => (await clock()) > known + 20_000, 'some time to pass');
  const { before, after } = await beside('set track_activities = off');
  assert.deepEqual([before, after], [known, known]);
  assert.ok((await settled()) > known);
});

test('for who may not see the sessions of writers, nothing new is promised beside one', async () => {
  const role = `stranger_${process.pid}`; // roles are of the whole server
  await pool.query(`create role ${role}; grant select on all tables in schema public to ${role};
    grant select, update, usage on sequence settled to ${role}`);
  const writer = await pool.connect();
  const stranger = await pool.connect();
  try {
    await stranger.query(`set role ${role}`);
    const ask = async () => (await stranger.query<{ settled: number }>('select settle() as settled')).rows[0]!.settled;
    const known = await settled();
    await until(async () => (await clock()) > known + 20_000, 'some time to pass');
    await writer.query('begin; lock table gate in row share mode');
    assert.equal(await ask(), known);
    await writer.query('rollback');
    assert.ok((await ask()) > known);
  } finally {
    for (const client of [writer, stranger]) client.release(true);
    await pool.query(`drop owned by ${role}; drop role ${role}`);
  }
});

test('of several that settle at once none takes it back', async () => {
  const moments = await Promise.all(Array.from({ length: 200 }, () => settled()));
  const last = await settled();
  assert.ok(moments.every((moment) => moment <= last));
  await pool.query(`select setval('settled', ${last + 60_000_000})`);
  assert.equal(await settled(), last + 60_000_000, 'nor does a clock that was set back');
});
