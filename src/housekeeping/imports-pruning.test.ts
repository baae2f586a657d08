import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { importFile } from '../../test/support/imports.ts';

test('an import is kept for thirty days after its end, and the key of a repeat for a week', async () => {
  const { call, database } = await startApp({ imports: {} });
  const house = houseOf(database);
  await call('POST', '/v1/segments', { slug: 'A' });
  const old = await importFile(call, 'A', 'operation=add', 'a\nnot one\n', { 'idempotency-key': 'old' });
  const fresh = await importFile(call, 'A', 'operation=add', 'b\nnot one\n', { 'idempotency-key': 'fresh' });
  const rows = async () => {
    const count = (table: string) => `(select count(*) from ${table})`;
    const tables = ['imports', 'import_rejects', 'import_keys'].map(count).join(', ');
    const { rows: found } = await database.pool.query<number[]>({ text: `select ${tables}`, rowMode: 'array' });
    return found[0]!.map(Number);
  };
  await house.tidy();
  assert.deepEqual(await rows(), [2, 2, 2]);

  await database.pool.query(`update import_keys set kept_since = kept_since - interval '8 days' where import_id = $1`, [old.id]);
  await house.tidy();
  assert.deepEqual(await rows(), [2, 2, 1]);
  assert.equal((await call('GET', `/v1/imports/${old.id}`)).body.state, 'done');

  await database.pool.query(`update imports set finished_at = finished_at - interval '31 days' where import_id = $1`, [old.id]);
  await house.tidy();
  assert.deepEqual(await rows(), [1, 1, 1]);
  assert.equal((await call('GET', `/v1/imports/${old.id}`)).status, 404);
  assert.equal((await call('GET', `/v1/imports/${fresh.id}`)).status, 200);
});
