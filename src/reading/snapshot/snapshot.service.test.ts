import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startApp } from '../../../test/support/app.ts';
import { until } from '../../../test/support/service.ts';
import { databaseClock } from '../../db/clock.ts';
import { definitionsStore } from '../../segments/definitions.store.ts';
import { factsStore } from '../facts.store.ts';
import { logStore, type LogStore } from './log.store.ts';
import { snapshotReader } from './snapshot.service.ts';

const { call, database } = await startApp();
await call('POST', '/v1/segments', { slug: 'A' });
await call('POST', '/v1/segments', { slug: 'B' });

/** A snapshot whose clock and log the test holds, refreshed by hand. */
async function snapshotOf(overrides: (log: LogStore) => Partial<LogStore> = () => ({})) {
  const time = { monotonic: 1_000, wall: 1_000_000 };
  const clock = databaseClock({ monotonic: () => time.monotonic, wall: () => time.wall });
  const own = { ...database, clock };
  const definitions = definitionsStore(own);
  const log = logStore(own);
  const failures: unknown[] = [];
  const snapshot = snapshotReader({
    log: { ...log, ...overrides(log) },
    definitions,
    clock,
    maxStalenessMs: 300_000,
    wake: () => {},
    onFailure: (error) => failures.push(error),
  });
  const client = await database.connect();
  after(async () => {
    await snapshot.close();
    await client.end();
  });
  return {
    snapshot,
    refresh: (isNew = false) => snapshot.refresh(client, isNew),
    time,
    failures,
    facts: factsStore(own, definitions),
  };
}

async function loaded(overrides?: (log: LogStore) => Partial<LogStore>) {
  const made = await snapshotOf(overrides);
  await until(async () => {
    await made.refresh();
    return made.snapshot.isLoaded();
  }, 'the snapshot to be loaded');
  return made;
}

const change = (userId: string, body: object) => call('PATCH', `/v1/users/${userId}/segments`, body);

test('answers nothing before it is loaded, and nothing but what it holds afterwards', async () => {
  await change('1000', { add: ['A'] });
  const made = await snapshotOf();
  assert.equal(made.snapshot.read('1000', 0), undefined);
  assert.deepEqual(made.snapshot.figures(), { ageMs: Infinity, users: 0, bytes: 0 });
  await until(async () => (await made.refresh(), made.snapshot.isLoaded()), 'the load');
  const read = await made.snapshot.read('1000', 0);
  assert.deepEqual(read?.segments, ['A']);
  assert.equal(made.snapshot.figures().users, 1);
  assert.ok(made.snapshot.figures().bytes > 0);
});

test('a poll that read a user before this process changed the user does not undo the change', async () => {
  const held = Promise.withResolvers<void>();
  const isRead = Promise.withResolvers<void>();
  let isHolding = false;
  const { snapshot, refresh, facts } = await loaded((log) => ({
    users: async (client, ids) => {
      const users = await log.users(client, ids);
      if (isHolding) {
        isRead.resolve();
        await held.promise;
      }
      return users;
    },
  }));
  await change('1001', { add: ['A'] }); // by another process, so that the poll has it to read
  isHolding = true;
  const polling = refresh();
  await isRead.promise;
  await change('1001', { remove: ['A'], add: ['B'] });
  await snapshot.put((await facts.current('1001')).facts); // and this process knows the newer one already
  held.resolve();
  await polling;
  assert.deepEqual((await snapshot.read('1001', 0))?.segments, ['B']);
  isHolding = false;
  await refresh();
  assert.deepEqual((await snapshot.read('1001', 0))?.segments, ['B']);
});

test('reads of the log what others changed, and not again what this process put', async () => {
  const asked: string[] = [];
  const { snapshot, refresh, facts } = await loaded((log) => ({
    users: (client, ids) => {
      asked.push(...ids);
      return log.users(client, ids);
    },
  }));
  await change('1002', { add: ['A'] });
  await snapshot.put((await facts.current('1002')).facts);
  await change('1003', { add: ['A'] });
  await refresh();
  assert.deepEqual(asked, ['1003']);
  for (const userId of ['1002', '1003']) assert.deepEqual((await snapshot.read(userId, 0))?.segments, ['A']);
});

test('reaches a revision once the log is settled up to it, or the user is at it', async () => {
  const { snapshot, refresh, facts } = await loaded();
  const mine = (await change('1004', { add: ['A'] })).body.revision as string;
  assert.equal(snapshot.read('1004', Number(mine)), undefined);
  await snapshot.put((await facts.current('1004')).facts);
  assert.deepEqual((await snapshot.read('1004', Number(mine)))?.segments, ['A']);
  assert.equal(snapshot.read('1005', Number(mine)), undefined, 'another user may have changed by then');
  await until(async () => {
    await refresh();
    return snapshot.read('1005', Number(mine)) !== undefined;
  }, 'the log to be settled');
});

test('answers up to the limit of its age and no longer, also where the machine slept or its clock was set', async () => {
  const { snapshot, refresh, time } = await loaded();
  const pass = (milliseconds: number) => {
    time.monotonic += milliseconds;
    time.wall += milliseconds;
  };
  pass(299_000);
  const read = await snapshot.read('1000', 0);
  assert.ok(read && read.ageMs >= 299_000 && read.ageMs <= 300_000, String(read?.ageMs));
  pass(1_001);
  assert.equal(snapshot.read('1000', 0), undefined);
  await refresh();
  assert.ok((await snapshot.read('1000', 0))!.ageMs < 1_000);
  time.wall += 301_000; // it slept: the monotonic clock stood still
  assert.equal(snapshot.read('1000', 0), undefined);
  await refresh();
  time.wall -= 3_600_000; // somebody set the clock back: no younger for it
  time.monotonic += 300_001;
  assert.equal(snapshot.read('1000', 0), undefined);
});

test('an end counts at its millisecond, with nobody doing anything then', async () => {
  const { snapshot, refresh, time } = await loaded();
  const { body } = await change('1006', { add: ['A'], ttl_seconds: 60 });
  await refresh();
  const left = Date.parse(body.as_of as string) + 60_000 - (await clockOf(snapshot));
  time.monotonic += left - 1;
  assert.deepEqual((await snapshot.read('1006', 0))?.segments, ['A']);
  time.monotonic += 2; // its clock goes in fractions of a millisecond
  assert.deepEqual((await snapshot.read('1006', 0))?.segments, []);
});

/** What the snapshot takes for the database's clock: `asOf` and the age since. */
async function clockOf(snapshot: Awaited<ReturnType<typeof loaded>>['snapshot']) {
  const { asOf, ageMs } = (await snapshot.read('nobody', 0))!;
  return asOf + ageMs;
}

test('a load that fails is told and tried again', async () => {
  let tries = 0;
  const { failures } = await loaded((log) => ({
    load: (...given) => {
      if (++tries === 1) throw new Error('planted');
      return log.load(...given);
    },
  }));
  assert.deepEqual([tries, failures.map(String)], [2, ['Error: planted']]);
});

test('an answer of the database that comes late does not undo what others have changed since', async () => {
  const { snapshot, refresh, facts } = await loaded();
  await change('1007', { add: ['A'] });
  const late = (await facts.current('1007')).facts; // as this process will know its own change, some time later
  await change('1007', { remove: ['A'] });
  await change('1008', { add: ['A'] });
  await snapshot.put((await facts.current('1008')).facts); // so that the next poll asks what is settled
  await refresh();
  await snapshot.put(late); // the removal may be settled by now, or not
  assert.deepEqual((await snapshot.read('1007', 0))?.segments, []);
  await until(async () => {
    await refresh();
    return snapshot.read('1009', late.revision! + 2_000) !== undefined;
  }, 'the log to be settled');
  await snapshot.put(late);
  assert.deepEqual((await snapshot.read('1007', 0))?.segments, []);
});

test('nor while nothing is settled', async () => {
  const { snapshot, refresh, facts } = await loaded((log) => ({
    begin: async (client, isSettling) => ({ ...(await log.begin(client, isSettling)), settled: 0 }),
    load: async (...given) => ({ ...(await log.load(...given)), settled: 0 }),
  }));
  await change('1010', { add: ['A'] });
  const late = (await facts.current('1010')).facts;
  await change('1010', { remove: ['A'] });
  await refresh();
  await snapshot.put(late);
  assert.deepEqual((await snapshot.read('1010', 0))?.segments, []);
});

test('of a change that was decided on some segments the others are kept, and the log is not asked for it', async () => {
  const asked: string[] = [];
  const { snapshot, refresh, facts } = await loaded((log) => ({
    users: (client, ids) => {
      asked.push(...ids);
      return log.users(client, ids);
    },
  }));
  await change('1020', { add: ['B'] });
  await until(async () => {
    await refresh();
    const { revision } = (await facts.current('1020')).facts;
    return snapshot.read('1021', revision!) !== undefined;
  }, 'the log to be settled');
  asked.length = 0;
  const before = (await facts.current('1020')).facts;
  await change('1020', { add: ['A'] });
  await change('1022', { add: ['A'] });
  for (const [userId, basedOn] of [
    ['1020', before.revision],
    ['1022', null],
  ] as const) {
    const { revision, stays, definitions } = (await facts.current(userId)).facts;
    const a = definitions.bySlug.get('A')![0]!.id;
    snapshot.putParts!(new Set([a]), revision!, [{ userId, basedOn, stays: stays.filter(({ segmentId }) => segmentId === a) }]);
  }
  assert.deepEqual((await snapshot.read('1020', 0))?.segments, ['A', 'B']);
  assert.deepEqual((await snapshot.read('1022', 0))?.segments, ['A']);
  await refresh();
  assert.deepEqual(asked, []);
  assert.deepEqual((await snapshot.read('1020', 0))?.segments, ['A', 'B']);
});

test('nor is it put over what is newer, or where a change before it is not here yet', async () => {
  const { snapshot, refresh, facts } = await loaded();
  const partsOf = async (userId: string) => {
    const { revision, stays, definitions } = (await facts.current(userId)).facts;
    const a = definitions.bySlug.get('A')![0]!.id;
    return { a: new Set([a]), revision: revision!, stays: stays.filter(({ segmentId }) => segmentId === a) };
  };
  await change('1030', { add: ['B'] }); // by another process, and not polled yet
  const unseen = await partsOf('1030');
  await change('1030', { add: ['A'] });
  const late = await partsOf('1030');
  snapshot.putParts!(late.a, late.revision, [{ userId: '1030', basedOn: unseen.revision, stays: late.stays }]);
  assert.deepEqual((await snapshot.read('1030', 0))?.segments, [], 'it would be in A and not in B');
  await change('1030', { remove: ['A'] });
  await refresh();
  snapshot.putParts!(late.a, late.revision, [{ userId: '1030', basedOn: unseen.revision, stays: late.stays }]);
  assert.deepEqual((await snapshot.read('1030', 0))?.segments, ['B']);
});
