import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { cloneDatabase } from '../../test/support/database.ts';
import { createSegment } from '../../test/support/functions.ts';
import { definitionsStore } from '../segments/definitions.store.ts';
import { importsService } from './imports.service.ts';
import { importsStore } from './imports.store.ts';
import { stagingStore } from './staging.store.ts';

test('an import that was accepted goes on, though whoever accepted it never heard so', async () => {
  const database = await cloneDatabase();
  await createSegment(database.pool, 'A');
  const store = importsStore(database);
  const accept: typeof store.accept = async (...asked) => {
    await store.accept(...asked);
    throw new Error('Connection terminated unexpectedly');
  };
  const service = importsService({
    definitions: definitionsStore(database),
    imports: { ...store, accept },
    staging: stagingStore(database),
    clock: database.clock,
    owner: randomUUID(),
    maxBytes: 1_000,
    onAccepted: () => {},
  });
  const wanted = { slug: 'A', operation: 'add', ttlSeconds: null, replaceInGroup: false, format: 'plain', by: 'ann' } as const;
  async function* file() {
    yield Buffer.from('u1\n');
  }
  await assert.rejects(service.receive({ ...wanted, idempotencyKey: 'one' }, file()), /Connection terminated/);
  const again = await service.receive({ ...wanted, idempotencyKey: 'one' }, file());
  assert.deepEqual([again.state, again.error, again.received], ['running', null, 1]);
});
