import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { cloneDatabase, openAgain } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { failureOf } from '../db/failures.ts';
import { follow } from '../reading/follower.service.ts';
import { wakesStore } from '../reading/wakes.store.ts';
import { type Key, newKey, sha256Of } from './key.ts';
import { keysStore } from './keys.store.ts';
import { knownKeys } from './known-keys.service.ts';

const database = await cloneDatabase();
const store = keysStore(database);
const client = await openAgain(database).connect();
after(() => client.end());

let made = 0;
async function make(): Promise<{ key: Key; sha256: string }> {
  const key: Key = { name: `key-${++made}`, scope: 'read' };
  const sha256 = sha256Of(newKey());
  assert.ok(await store.insert(key, sha256));
  return { key, sha256 };
}

/** Keys in memory over a store that counts what is asked of it. */
function counted({ clock, pool, maxStalenessMs = 300_000 }: Partial<Database> & { maxStalenessMs?: number } = {}) {
  const asked = { find: 0, listLiving: 0 };
  const own = { ...database, ...(pool ? { pool } : {}), clock: clock ?? database.clock };
  const real = keysStore(own);
  const keys = knownKeys(
    {
      ...real,
      find: (sha256) => (asked.find++, real.find(sha256)),
      listLiving: (by) => (asked.listLiving++, real.listLiving(by)),
    },
    own,
    { maxStalenessMs },
  );
  return { keys, asked };
}

test('a key in memory is found without a promise, and without asking', async () => {
  const { key, sha256 } = await make();
  const { keys, asked } = counted();
  await keys.refresh(client, true);
  assert.deepEqual(keys.find(sha256), key);
  assert.equal(asked.find, 0);
});

test('a key that memory does not know is asked for: one made meanwhile is known at once, any other is not', async () => {
  const { keys } = counted();
  await keys.refresh(client, true);
  const { key, sha256 } = await make();
  assert.deepEqual(await keys.find(sha256), key);
  assert.equal(await keys.find(sha256Of(newKey())), null);
});

test('a refresh loads again only where a key was made or revoked', async () => {
  const { sha256, key } = await make();
  const { keys, asked } = counted();
  await keys.refresh(client, true);
  await keys.refresh(client, false);
  assert.equal(asked.listLiving, 1);
  const { key: later, sha256: ofLater } = await make();
  await keys.refresh(client, false);
  assert.deepEqual([asked.listLiving, keys.find(ofLater)], [2, later]);
  await store.revoke(key.name);
  await keys.refresh(client, false);
  assert.equal(asked.listLiving, 3);
  assert.equal(await keys.find(sha256), null);
});

test('a key that this process revoked ends at once, and a load that began before does not bring it back', async () => {
  const { key, sha256 } = await make();
  const { keys } = counted();
  await keys.refresh(client, true);
  await client.query('begin isolation level repeatable read');
  await client.query('select from api_keys');
  await store.revoke(key.name);
  keys.forget(key.name);
  assert.equal(await keys.find(sha256), null);
  await keys.refresh(client, true);
  assert.equal(await keys.find(sha256), null);
  await client.query('commit');
});

test('on a new connection all is loaded: as many changes may be those of another database', async () => {
  const { keys, asked } = counted();
  await keys.refresh(client, true);
  await keys.refresh(client, true);
  assert.equal(asked.listLiving, 2);
});

test('memory that is too old is not believed, and is again when it was refreshed', async () => {
  const { key, sha256 } = await make();
  let ageMs = 300_000;
  const { keys, asked } = counted({ clock: { ...database.clock, ageOf: () => ageMs } });
  await keys.refresh(client, true);
  assert.deepEqual([keys.find(sha256), asked.find], [key, 0]);
  ageMs = 300_001;
  await store.revoke(key.name);
  assert.equal(await keys.find(sha256), null);
  assert.equal(asked.find, 1);
});

test('the age is that of the last look, whether or not it found a change', async () => {
  const { key, sha256 } = await make();
  const judged: number[] = [];
  const { keys, asked } = counted({ clock: { ...database.clock, ageOf: (moment) => (judged.push(moment), 0) } });
  await keys.refresh(client, true);
  assert.deepEqual(keys.find(sha256), key);
  await until(async () => {
    await keys.refresh(client, false);
    assert.deepEqual(keys.find(sha256), key);
    return judged.at(-1)! > judged[0]!;
  }, 'a look in a later millisecond');
  assert.equal(asked.listLiving, 1);
});

test('while the database is down memory goes on knowing its keys, and what it does not know fails as ever', async () => {
  const { key, sha256 } = await make();
  const gone = openDatabase({ connection: { host: '127.0.0.1', port: 1 }, connectTimeoutMs: 500 });
  after(() => gone.close());
  let ageMs = 0;
  const { keys } = counted({ pool: gone.pool, clock: { ...database.clock, ageOf: () => ageMs } });
  await keys.refresh(client, true);
  assert.deepEqual(keys.find(sha256), key);
  const isUnavailable = (error: unknown) => failureOf(error) === 'unavailable';
  await assert.rejects(async () => keys.find(sha256Of(newKey())), isUnavailable);
  ageMs = Infinity;
  await assert.rejects(async () => keys.find(sha256), isUnavailable);
});

test('a revocation wakes those who follow, long before they would look by themselves', async () => {
  const { key, sha256 } = await make();
  const elsewhere = openAgain(database);
  const { keys, asked } = counted();
  const follower = follow({
    connect: wakesStore(elsewhere).listen,
    followed: [keys],
    onFailure: assert.ifError,
    intervalMs: 3_600_000,
  });
  after(() => follower.close());
  await until(() => asked.listLiving === 1 && !(keys.find(sha256) instanceof Promise), 'the keys to be loaded');
  assert.deepEqual(keys.find(sha256), key);
  await store.revoke(key.name);
  await until(async () => (await keys.find(sha256)) === null, 'the key to end');
});
