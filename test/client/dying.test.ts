import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, createClient, type Happening, UnreachableError } from '../../client/src/index.ts';
import { cloneDatabase } from '../support/database.ts';
import { adminKey, startService, until } from '../support/service.ts';

// A real process, killed with SIGKILL and started again at the same address.

const { url: database } = await cloneDatabase();
const patient = { timeoutMs: 60_000, retries: 1_000 };

/** A process of this test's own. */
async function start() {
  let service = await startService({ DATABASE_URL: database });
  const { url } = service;
  return {
    url,
    client: createClient({ url, key: adminKey, ...patient }),
    async kill() {
      service.process.kill('SIGKILL');
      await service.exited;
    },
    async restart() {
      service = await startService({ DATABASE_URL: database, PORT: new URL(url).port });
    },
  };
}

test('while the service is dead changes and reads are waited for, and made once it is back', async () => {
  const { url, client, kill, restart } = await start();
  await client.segments.create({ slug: 'A' });
  await client.change('1', { add: ['A'] });
  await kill();
  const [change, read] = [client.change('2', { add: ['A'] }), client.isIn('1', 'A')];
  const hurried = createClient({ url, key: adminKey, retries: 1 });
  await assert.rejects(hurried.change('3', { add: ['A'] }), {
    name: 'UnreachableError',
    reason: 'refused',
    mayBeApplied: false,
  });
  await restart();
  assert.deepEqual((await change).added, ['A']);
  assert.equal(await read, true);
  assert.equal(await client.isIn('2', 'A'), true);
  assert.equal(await client.isIn('3', 'A'), false);
});

test('while it is dead, what was last known will do where that was asked for', async () => {
  const { url, kill, restart } = await start();
  const remembering = createClient({ url, key: adminKey, retries: 1, lastKnown: { maxAgeSeconds: 60 } });
  assert.equal((await remembering.segmentsOf('1')).is_last_known, false);
  await kill();
  const { segments, is_last_known, age_seconds } = await remembering.segmentsOf('1');
  assert.deepEqual([segments, is_last_known], [['A'], true]);
  assert.ok(age_seconds < 60);
  await assert.rejects(remembering.segmentsOf('2'), UnreachableError);
  await restart();
  assert.equal((await remembering.segmentsOf('1')).is_last_known, false);
});

test('a follower misses nothing and hears nothing twice, and each change is made once, while it dies again and again', async (t) => {
  const { client, kill, restart } = await start();
  const users = Array.from({ length: 60 }, (_, i) => `u${i}`);
  const events: Happening[] = [];
  let isFollowing = false;
  const following = (async () => {
    for await (const event of client.follow({}, { signal: t.signal, onPosition: () => (isFollowing = true) }))
      if (events.push(event) === users.length) return;
  })();
  await until(() => isFollowing, 'the stream');

  let changed = 0;
  const changing = (async () => {
    for (const userId of users) {
      await put(client, userId);
      changed++;
    }
  })();
  for (const after of [10, 25, 40]) {
    await until(() => changed >= after, `${after} changes`, 30_000);
    await kill();
    await restart();
  }
  await changing;
  await following;
  assert.deepEqual(
    events.map((event) => 'user_id' in event && event.user_id),
    users,
  );
});

/** Adds; where it may have been made or not, looks before it adds again, as a careful caller does. */
async function put(client: Client, userId: string): Promise<void> {
  for (;;) {
    try {
      return void (await client.change(userId, { add: ['A'] }));
    } catch (error) {
      assert.ok(error instanceof UnreachableError && error.mayBeApplied, String(error));
      if (await client.isIn(userId, 'A', { last_revision: true })) return;
    }
  }
}
