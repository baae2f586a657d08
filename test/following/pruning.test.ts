import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age } from '../support/aging.ts';
import { houseOf } from '../support/housekeeping.ts';
import { until } from '../support/service.ts';
import { assertSame, makeSegments, readMemory, startFollowedApp } from './followed-app.ts';

const app = await startFollowedApp();
const { call, database, relay, writer } = app;
await makeSegments(app);
const house = houseOf(database, { changesHours: 1 });
const loads = () => relay.countOf('copy (select');

/** As if all that is in the log had been written two hours ago; and every snapshot from now on holds it. */
async function agedLog() {
  const last = await writer.takeId();
  await until(
    async () => {
      const [row] = await writer.run<{ id: string }>('select pg_snapshot_xmin(pg_current_snapshot())::text as id');
      return BigInt(row!.id) > last;
    },
    'all older transactions of the server to end',
    30_000,
  );
  await writer.run(`update changes set at = at - interval '2 hours'`);
}
const left = async () => (await writer.run<{ n: string }>('select count(*) as n from changes'))[0]!.n;

test('a follower that has seen what is dropped from the log goes on without loading anew', async () => {
  for (let i = 0; i < 30; i++) await writer.toggle([`u${i}`], 'A');
  await assertSame(app);
  await agedLog();
  await assertSame(app); // a poll after the last change
  const before = loads();
  await house.tidy();
  assert.equal(await left(), '0');
  await writer.toggle(['u1', 'u2'], 'A');
  await assertSame(app);
  assert.equal(loads(), before);
});

test('a follower that was away while the log was dropped loads anew and is right', async () => {
  await assertSame(app);
  const before = loads();
  relay.refuse(true);
  relay.cut();
  await writer.toggle(['u3', 'u4', 'new'], 'A');
  await agedLog();
  await house.tidy();
  assert.equal(await left(), '0');
  relay.refuse(false);
  await assertSame(app);
  assert.ok(loads() > before);
  assert.deepEqual(
    (await readMemory(app, 'new'))?.filter((slug) => slug === 'A'),
    ['A'],
  );
});

test('what is moved changes nothing of what memory answers, and is followed like any other change', async () => {
  for (let i = 0; i < 30; i++) {
    const body = { add: ['B'], ...(i % 2 ? { ttl_seconds: 60 } : {}) };
    assert.equal((await call('PATCH', `/v1/users/m${i}/segments`, body)).status, 200);
  }
  const soon = new Date(Date.now() + 60_000).toISOString();
  for (let i = 0; i < 10; i++) await call('PATCH', `/v1/users/m${i}/segments`, { add: ['C'], starts_at: soon });
  await call('DELETE', '/v1/segments/A');
  await assertSame(app);
  await age(database, 3_700);
  // What is recorded has become older behind the back of the followers: they load it anew.
  relay.refuse(true);
  relay.cut();
  await writer.toggle(['another'], 'B');
  await agedLog();
  await house.tidy();
  relay.refuse(false);
  await assertSame(app);
  const before = loads();
  await call('PATCH', '/v1/users/m1/segments', { add: ['B'], ttl_seconds: 1 });
  await call('PATCH', '/v1/users/m2/segments', { add: ['C'] });
  await assertSame(app);
  await until(async () => (await readMemory(app, 'm1'))?.includes('B') === false, 'the end');
  await house.tidy();
  await assertSame(app);
  assert.equal(loads(), before);
});
