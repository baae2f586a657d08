import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase } from '../../test/support/database.ts';
import { clockOf } from '../../test/support/functions.ts';
import { momentOf } from '../timeline/revision.ts';

// The rule of the database itself, with decisions that no request could time so well.
const { pool } = await cloneDatabase();

const clock = () => clockOf(pool);
const definitions = async () =>
  (await pool.query<{ version: number; revision: number }>('select version, revision from definitions')).rows[0]!;

/** Creates a segment, decided on these definitions: its revision, null where the decision does not hold, and the clock then. */
async function create(slug: string, version: number, goodUntil: number) {
  const { rows } = await pool.query<{ revision: number | null; clock: number }>(
    `select create_segment($1, 0, to_timestamp($2::numeric / 1000), $3, '', 'S', null, '{}', 'ann') as revision, (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock`,
    [version, goodUntil, slug],
  );
  return rows[0]!;
}

test('a decision about segments holds before its moment, and not at it', async () => {
  let [atIt, before] = [0, 0];
  for (let i = 0; i < 2_000 && (atIt < 5 || before < 5); i++) {
    const { version } = await definitions();
    const goodUntil = momentOf(await clock()) + 1 + (i % 3);
    const { revision, clock: then } = await create(`S${i}`, version, goodUntil);
    const after = await definitions();
    if (revision === null) {
      assert.equal(after.version, version);
      if (momentOf(then) === goodUntil) atIt++; // it was not later, and was not let in
    } else {
      before++;
      assert.ok(momentOf(revision) < goodUntil, `${momentOf(revision) - goodUntil} ms after its end`);
      assert.deepEqual(after, { version: version + 1, revision });
    }
  }
  assert.ok(atIt > 0 && before > 0, `the moment itself was met ${atIt} times, one before it ${before} times`);
});

test('a change of segments waits a tenth of a second for a writer, not as long as its session would: writers queue behind it', async () => {
  const { version } = await definitions();
  const [writer, session] = [await pool.connect(), await pool.connect()];
  try {
    await writer.query('begin; lock table gate in row share mode');
    await session.query(`set lock_timeout = 0; set statement_timeout = '5s'`);
    const text = `select create_segment(${version}, 0, 'infinity', 'BUSY', '', 'S', null, '{}', 'ann')`;
    await assert.rejects(session.query(text), { code: '55P03' });
    const { rows } = await session.query<{ lock_timeout: string }>('show lock_timeout');
    assert.equal(rows[0]!.lock_timeout, '0', 'what comes after it waits as before');
    assert.deepEqual((await definitions()).version, version);
  } finally {
    await writer.query('rollback');
    for (const client of [writer, session]) client.release(true);
  }
});
