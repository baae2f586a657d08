import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomSource } from '../model/random-history.ts';
import { inDatabase } from '../support/global-setup.ts';
import { until } from '../support/service.ts';
import { assertSame, differences, makeSegments, readMemory, slugs, startFollowedApp } from './followed-app.ts';
import { openWriter, type Writer } from './writer.ts';

const seed = Number(process.env.RACE_SEED ?? Math.floor(Math.random() * 2 ** 31));

const app = await startFollowedApp();
const { call, another, database, relay, writer } = app;
await makeSegments(app);
const other = await another();
const patch = (userId: string, slug: string, through = call) =>
  through('PATCH', `/v1/users/${userId}/segments`, { add: [slug] }).then(({ status, text }) => assert.equal(status, 200, text));

test('what is loaded, what this process writes and what others write is in memory', async () => {
  await patch('own', 'A');
  await patch('foreign', 'B', other);
  await writer.toggle(['raw'], 'C');
  await assertSame(app);
  assert.deepEqual((await readMemory(app, 'foreign'))?.includes('B'), true);
  assert.equal((await call('DELETE', '/v1/segments/B')).status, 204);
  await assertSame(app);
  assert.equal((await other('POST', '/v1/segments', { slug: 'B', percent: 70 })).status, 201);
  await assertSame(app);
});

test(`transactions that commit late, out of order, in part or not at all: nothing is lost (RACE_SEED=${seed})`, async () => {
  await using elsewhere = await idle(await openWriter(inDatabase(database.connection, 'postgres')));
  await using here = await idle(await openWriter(database.connection));
  void [elsewhere, here];
  const random = randomSource(seed);
  const free = await Promise.all(Array.from({ length: 8 }, () => openWriter(database.connection)));
  const open: { writer: Writer; users: string[] }[] = [];
  const users = new Set(Array.from({ length: 40 }, (_, i) => `late-${i}`));
  const pick = (count: number) =>
    Array.from({ length: count }, () => random.one([...users])).filter((user) => users.delete(user));
  const finish = async (how: 'commit' | 'rollback') => {
    const [one] = open.splice(random.below(open.length), 1);
    if (!one) return;
    await one.writer.run(how);
    for (const user of one.users) users.add(user);
    free.push(one.writer);
  };
  for (let round = 0; round < 60; round++) {
    for (let step = 0; step < 6; step++) {
      const what = random.below(8);
      const one = free.at(-1);
      if (what < 3 && one) {
        free.pop();
        const chosen = pick(1 + random.below(3));
        open.push({ writer: one, users: chosen });
        await begin(one, chosen, random);
      } else if (what < 6) await finish(what === 5 ? 'rollback' : 'commit');
      else if (what === 6) await writer.takeId();
      else await patch(`patched-${random.below(5)}`, random.one(slugs), random.one([call, other]));
    }
    if (round % 4 > 0) await assertSame(app); // else several rounds are one poll
  }
  while (open.length > 0) await finish('commit');
  await assertSame(app);
});

test('a poll under way takes no change back that this process has made since', async () => {
  await writer.toggle(['twice'], 'A');
  await assertSame(app);
  await writer.toggle(['twice'], 'A');
  const reading = relay.hold('log.users');
  await writer.wake();
  await reading.reached; // its snapshot is taken
  await patch('twice', 'B');
  await patch('twice', 'C');
  const next = relay.hold('log.settle');
  reading.release();
  await next.reached;
  assert.deepEqual(
    (await readMemory(app, 'twice'))?.filter((slug) => slug !== 'D'),
    ['B', 'C'],
  );
  next.release();
  await assertSame(app);
});

test('a poll under way brings what others made before the change that this process makes meanwhile', async () => {
  await patch('both', 'A');
  const polling = relay.hold('log.changes');
  await writer.wake();
  await polling.reached;
  await patch('both', 'B');
  await patch('both', 'C', other);
  await patch('both', 'D');
  polling.release();
  await assertSame(app);
});

test('a gap after the log was pruned: everything is loaded again', async () => {
  const loads = relay.countOf('copy (select');
  await pruneAhead({ isMarked: true });
  await assertSame(app);
  assert.ok(relay.countOf('copy (select') > loads);
});

test('a gap while the connection is gone: everything is loaded again', async () => {
  const loads = relay.countOf('copy (select');
  relay.refuse(true);
  relay.cut();
  await writer.toggle(['gap-1', 'gap-2'], 'C');
  await prune();
  relay.refuse(false);
  await assertSame(app);
  assert.ok(relay.countOf('copy (select') > loads);
});

test('a gap that is not marked is what these tests would see', async () => {
  await pruneAhead({ isMarked: false });
  assert.notDeepEqual(await differences(app), []);
  await writer.toggle(['gap-1', 'gap-2'], 'C');
  await assertSame(app);
});

test('a wake that never comes: the next look by the clock finds the change', async () => {
  await assertSame(app);
  await writer.toggle(['unheard'], 'A');
  await assertSame(app, { isWoken: false, limitMs: 2_500 });
});

for (const [where, at] of [
  ['between two polls', null],
  ['before the settled moment is asked', 'log.settle'],
  ['before its snapshot', 'begin isolation'],
  ['in the middle of a poll', 'log.changes'],
  ['while it reads the users of a poll', 'log.users'],
  ['before a poll ends', 'commit'],
] as const) {
  test(`the follower's backend is terminated ${where}: it connects again and goes on`, async () => {
    const user = `cut-${at?.replaceAll(/\W/g, '-')}`;
    await assertSame(app);
    if (at === null) {
      await writer.toggle([user], 'A');
      await terminate();
      await writer.toggle([user], 'B');
    } else {
      const held = relay.hold(at);
      await writer.toggle([user], 'A');
      await writer.wake();
      await held.reached;
      await terminate();
      await writer.toggle([user], 'B');
      held.release();
    }
    await assertSame(app);
    await writer.toggle([user], 'C');
    await assertSame(app); // listening again
  });
}

test('the network breaks, and lets nobody through for a while', async () => {
  relay.refuse(true);
  relay.cut();
  await writer.toggle(['away'], 'A');
  for (let i = 0; i < 50; i++) await writer.toggle([`away-${i}`], 'B');
  relay.refuse(false);
  await assertSame(app);
});

/** Begins, changes users once, perhaps in a part of the transaction, and leaves it open. */
async function begin(one: Writer, users: string[], random: ReturnType<typeof randomSource>) {
  const slug = random.one(slugs);
  await one.run('begin');
  const how = random.below(5);
  if (how === 0 || users.length === 0) await one.takeId();
  if (users.length === 0) return;
  if (how === 1) {
    await one.run('savepoint part');
    await one.toggle(users, slug);
    await one.run('release part');
  } else if (how === 2) {
    await one.run('savepoint part');
    await one.toggle(users, random.one(slugs));
    await one.run('rollback to part');
    await one.toggle(users, slug);
  } else if (how === 3) {
    await one.run('savepoint part');
    await one.toggle(users, slug);
    await one.run('rollback to part');
  } else if (how === 4) {
    await one.run('savepoint part; savepoint smaller');
    await one.toggle(users, slug);
    await one.run('release smaller; release part');
  } else await one.toggle(users, slug);
}

/** A transaction that has an id and does nothing: it holds every horizon of the server back. */
async function idle(one: Writer): Promise<AsyncDisposable> {
  await one.run('begin');
  await one.takeId();
  return { [Symbol.asyncDispose]: () => one.end() };
}

/** Changes that are in the log no more when the follower comes to read it. */
async function pruneAhead({ isMarked }: { isMarked: boolean }) {
  await assertSame(app);
  const polling = relay.hold('log.settle');
  await writer.wake();
  await polling.reached;
  await writer.toggle(['gap-1', 'gap-2'], 'A');
  if (isMarked) await prune();
  else await writer.run(`delete from changes where user_ids @> '{gap-1,gap-2}' and at = (select max(at) from changes)`);
  polling.release();
}

/** As housekeeping may do it: what every snapshot from now on holds. */
async function prune() {
  const last = await writer.takeId();
  const below = async () =>
    BigInt((await writer.run<{ id: string }>(`select pg_snapshot_xmin(pg_current_snapshot())::text as id`))[0]!.id);
  await until(async () => (await below()) > last, 'all older transactions of the server to end', 30_000);
  await writer.run('delete from changes where xid <= $1::text::xid8', [String(last)]);
  await writer.run('update changes_pruned set below = $1::text::xid8', [String(last + 1n)]);
}

/** Ends the server's side of the follower's connection. */
async function terminate() {
  const backends = relay.backendsOf('log.settle');
  assert.equal(backends.length, 1);
  await writer.run('select pg_terminate_backend(pid) from unnest($1::int[]) b (pid)', [backends]);
}
