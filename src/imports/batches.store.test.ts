import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, test } from 'node:test';
import { cloneDatabase } from '../../test/support/database.ts';
import { createSegment } from '../../test/support/functions.ts';
import { definitionsStore } from '../segments/definitions.store.ts';
import { batchesStore, type DecidedBatch } from './batches.store.ts';
import { importsStore } from './imports.store.ts';

const database = await cloneDatabase();
const { pool } = database;
const imports = importsStore(database);
const batches = batchesStore(database, definitionsStore(database));

/** An import that this owner carries out. */
async function running(owner: string): Promise<string> {
  const wanted = { segmentId: 1, operation: 'add', ttlMs: null, replaceInGroup: false, createdBy: 'ann', owner } as const;
  const { id } = await imports.insert(wanted);
  assert.equal(await imports.accept(id, owner, null), 'accepted');
  assert.equal((await imports.claim(owner))?.id, id);
  return id;
}

const beginning = {
  segmentId: 1,
  startsAt: null,
  excluded: false,
  end: { kind: 'never' },
  since: null,
  cause: 'import',
  by: 'ann',
} as const;

/** Rows that put these in, each read as a user who is not known. */
const batchOf = (...userIds: string[]): DecidedBatch => ({
  changes: userIds.map((userId) => ({
    userId,
    revision: null,
    version: 1,
    decidedAt: 0,
    decision: { endings: [], beginnings: [beginning], goodUntil: Infinity },
  })),
  lines: userIds.map((_, i) => i + 1),
  unchanged: 0,
  rejected: [],
  upTo: { userId: userIds.at(-1)!, line: userIds.length },
});

const known = async (...userIds: string[]) =>
  (await pool.query('select from users where user_id = any ($1)', [userIds])).rowCount;

before(() => createSegment(pool, 'A'));

test('a batch is saved with how far its import came, and the import has the revision of its newest change', async () => {
  const owner = randomUUID();
  const id = await running(owner);
  const { outcome, revision, stale } = await batches.save(id, owner, batchOf('u1', 'u2'));
  assert.ok(outcome === 'applied' && revision !== null);
  assert.deepEqual(stale, []);
  const { applied, doneUpTo, revision: told } = (await imports.find(id))!;
  assert.deepEqual([applied, doneUpTo, told], [2, { userId: 'u2', line: 2 }, revision]);

  const repeat = await batches.save(id, owner, batchOf('u1', 'u3'));
  assert.deepEqual([repeat.outcome, repeat.stale], ['applied', ['u1']], 'who was changed since is pending');
  const pending = (await imports.find(id))!;
  assert.deepEqual([pending.applied, pending.pendingUsers, pending.pendingLines], [3, ['u1'], [1]]);
  assert.ok(repeat.revision! > revision && pending.revision === repeat.revision);
});

test('of a batch in which everybody is stale nothing is applied, and there is no revision of it', async () => {
  const owner = randomUUID();
  const id = await running(owner);
  await batches.save(id, owner, batchOf('s1'));
  const before = await imports.find(id);
  const { outcome, revision, stale } = await batches.save(id, owner, batchOf('s1'));
  assert.deepEqual([outcome, revision, stale], ['stale', null, ['s1']]);
  const after = (await imports.find(id))!;
  assert.deepEqual([after.applied, after.revision, after.pendingUsers], [1, before!.revision, ['s1']]);
});

test('whoever has lost an import, or comes when it is over, saves nothing, also beside others that run', async () => {
  const [owner, other] = [randomUUID(), randomUUID()];
  const [mine, theirs, over] = [await running(owner), await running(other), await running(owner)];
  await imports.finish(over, owner, 'cancelled', null);
  for (const [id, by] of [
    [theirs, owner],
    [mine, other],
    [over, owner],
    [randomUUID(), owner],
  ] as const) {
    const seen = await imports.find(id);
    const { outcome, revision, stale } = await batches.save(id, by, batchOf('l1', 'l2'));
    assert.deepEqual([outcome, revision, stale, await known('l1', 'l2')], ['lost', null, ['l1', 'l2'], 0]);
    assert.deepEqual(await imports.find(id), seen);
  }
});
