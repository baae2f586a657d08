import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { cloneDatabase } from '../../test/support/database.ts';
import { createSegment } from '../../test/support/functions.ts';
import { until } from '../../test/support/service.ts';
import type { DatabaseLimits } from '../db/database.ts';
import { definitionsStore } from '../segments/definitions.store.ts';
import { batchesStore } from './batches.store.ts';
import { carryOut } from './carrying-out.service.ts';
import { importsStore } from './imports.store.ts';
import { type ImportRunner, importRunner } from './runner.service.ts';
import { stagingStore, stagingTable } from './staging.store.ts';

/** Imports of a database of their own with a segment `A` in the group `G`, and a runner that carries them out. */
async function start(limits: Partial<DatabaseLimits> = {}) {
  let runner: ImportRunner | undefined;
  after(() => runner?.close()); // before its database is closed
  const database = await cloneDatabase({ limits });
  const { pool } = database;
  const [imports, staging, definitions] = [importsStore(database), stagingStore(database), definitionsStore(database)];
  const create = () => createSegment(pool, 'A', 'G');
  await create();
  const batches = batchesStore(database, definitions);
  const failures: unknown[] = [];
  return {
    pool,
    imports,
    failures,
    create,
    async deleteSegment() {
      const { rows } = await pool.query<{ revision: number | null }>(
        `select delete_segment(version, 1, 'ann') as revision from definitions`,
      );
      assert.notEqual(rows[0]!.revision, null);
    },
    /** A file that adds these. */
    async accepted(...userIds: string[]): Promise<string> {
      const owner = randomUUID();
      const wanted = { segmentId: 1, operation: 'add', ttlMs: null, replaceInGroup: false, createdBy: 'ann', owner } as const;
      const { id } = await imports.insert(wanted);
      const good = userIds.map((userId, i) => `${i + 1}\t${userId}\n`).join('');
      assert.ok(await staging.insert(id, owner, { received: userIds.length, good, rejected: [] }));
      assert.equal(await imports.accept(id, owner, null), 'accepted');
      return id;
    },
    run(before: () => void = () => {}) {
      const parts = { imports, staging, batches, clock: database.clock, onCommit: () => {} };
      runner = importRunner({
        imports,
        staging,
        newOwner: randomUUID,
        carryOut: async (job, client, owner, isClosing) => {
          before();
          await carryOut(job, client, isClosing, { ...parts, owner });
        },
        onFailure: (error) => void failures.push(error),
      });
      return runner;
    },
  };
}

test('an import whose segment was deleted puts nobody into the one that has its slug and its group by then', async () => {
  const { pool, imports, failures, accepted, deleteSegment, create, run } = await start();
  const id = await accepted('u1', 'u2');
  await deleteSegment();
  await create();
  run();
  await until(async () => (await imports.find(id))!.state !== 'running', 'the import to end');
  const { state, error, applied } = (await imports.find(id))!;
  assert.deepEqual([state, error, applied, failures], ['failed', 'segment_deleted', 0, []]);
  assert.equal((await pool.query('select from users')).rowCount, 0);
});

test('an import outlasts whatever keeps the database from it, however long', async () => {
  const { pool, imports, failures, accepted, run } = await start({ lockMs: 20, idleInTransactionMs: 60_000 });
  const id = await accepted('u1');
  const other = await pool.connect();
  try {
    await other.query('begin; lock table memberships in share mode'); // as an index is made
    const runner = run();
    await until(() => (runner.wake(), failures.length > 15), 'many attempts');
  } finally {
    await other.query('rollback');
    other.release();
  }
  await until(async () => (await imports.find(id))!.state === 'done', 'the import to be done');
  assert.equal((await imports.find(id))!.applied, 1);
});

test('a stop breaks off a sort, and the import goes on elsewhere from where it was', async () => {
  const { pool, imports, failures, accepted, run } = await start({ lockMs: 60_000 });
  const id = await accepted('u1');
  const other = await pool.connect();
  // It waits for this as it may have to wait for the sort of many rows.
  await other.query(`begin; lock table ${stagingTable(id)} in access exclusive mode`);
  const runner = run();
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'declare rows%'`;
  await until(async () => (await pool.query(waiting)).rowCount === 1, 'the rows to be read');
  let isClosed = false;
  void runner.close().then(() => (isClosed = true));
  await until(() => isClosed, 'the stop');
  await other.query('rollback');
  other.release();
  const { state, attempts } = (await imports.find(id))!;
  assert.deepEqual([state, attempts, failures], ['running', 0, []]);
  run();
  await until(async () => (await imports.find(id))!.state === 'done', 'the import to be done elsewhere');
});

test('an import at which the work breaks again and again is given up', async () => {
  const { imports, failures, accepted, run } = await start();
  const id = await accepted('u1');
  const runner = run(() => {
    throw new Error('a defect');
  });
  await until(async () => (runner.wake(), (await imports.find(id))!.state !== 'running'), 'the import to be given up');
  const { state, error } = (await imports.find(id))!;
  assert.deepEqual([state, error, failures.length], ['failed', 'internal_error', 10]);
});

test('an import whose lease ran out may be taken by the same process, and then the one that had it writes no more', async () => {
  const database = await cloneDatabase();
  const imports = importsStore(database);
  const receiver = randomUUID();
  const wanted = { segmentId: 1, operation: 'add', ttlMs: null, replaceInGroup: false, createdBy: 'ann' } as const;
  const { id } = await imports.insert({ ...wanted, owner: receiver });
  await imports.accept(id, receiver, null);
  const owners: string[] = [];
  const over = Promise.withResolvers<void>();
  const runner = importRunner({
    imports,
    staging: stagingStore(database),
    newOwner: randomUUID,
    carryOut: (_job, _client, owner) => (owners.push(owner), over.promise),
    onFailure: assert.ifError,
  });
  await until(() => owners.length === 1, 'the import to be taken');
  await database.pool.query(`update imports set lease_until = '-infinity'`); // as if all had stood still for so long
  runner.wake();
  await until(() => owners.length === 2, 'the import to be taken again');
  const [first, second] = owners as [string, string];
  const mayWrite = [await imports.turnToLeavers(id, first), await imports.turnToLeavers(id, second)];
  over.resolve();
  await runner.close();
  assert.deepEqual(mayWrite, [false, true]);
});
