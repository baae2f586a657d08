import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase, openAgain } from '../../test/support/database.ts';
import { findMigrations, migrate, SchemaTooNew } from './migrate.ts';

test('of twenty processes that start at once on an empty database one migrates', async () => {
  const database = await cloneDatabase({ empty: true, poolSize: 2 });
  const applied = await Promise.all(Array.from({ length: 20 }, () => migrate(openAgain(database).pool)));
  assert.equal(applied.flat().length, (await findMigrations()).length);
  assert.deepEqual(await migrate(database.pool), []);
});

test('a schema newer than this release is refused', async () => {
  const database = await cloneDatabase();
  await database.pool.query(`insert into schema_migrations (version, name) values (9999, 'from the future')`);
  await assert.rejects(migrate(database.pool), (error) => error instanceof SchemaTooNew && /version 9999/.test(error.message));
});

test('a migration that fails leaves neither its tables nor its record', async () => {
  const database = await cloneDatabase({ empty: true });
  await database.pool.query('create table api_keys (in_the_way boolean)');
  await assert.rejects(migrate(database.pool), /already exists/);
  const { rows } = await database.pool.query(
    `select to_regclass('segments') as segments, (select count(*) from schema_migrations) as records`,
  );
  assert.deepEqual(rows, [{ segments: null, records: 0 }]);
});

test('there are months for years ahead, so that no change fails for want of a partition', async () => {
  const { pool } = await cloneDatabase();
  const { rows } = await pool.query<{ months: number }>(
    `select count(*) as months from pg_inherits where inhparent = 'past_memberships'::regclass and inhrelid::regclass::text ~ '_20(2[6-9]|3[01])_[01][0-9]$'`,
  );
  assert.equal(rows[0]!.months, 72);
});
