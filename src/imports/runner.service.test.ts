import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { cloneDatabase } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { importsStore } from './imports.store.ts';
import { importRunner } from './runner.service.ts';
import { stagingStore } from './staging.store.ts';

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
