import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWriter } from './writer.ts';
import { assertSame, type FollowedApp, makeBulk, readMemory, startFollowedApp } from './followed-app.ts';
import type { Held } from './relay.ts';

const copyText = 'copy (select';

test('what is written while the table is loaded is not lost, and reads are answered from the database meanwhile', async () => {
  const { app, load } = await startLoading();
  const { call, writer, database, relay } = app;
  const [before, across] = await Promise.all([openWriter(database.connection), openWriter(database.connection)]);
  await load.reached; // its snapshot is taken
  const other = await app.another();

  await before.run('begin');
  await before.toggle(['bulk-100', 'before'], 'B');
  await writer.toggle(['bulk-200', 'raw'], 'A');
  await across.run('begin');
  await across.toggle(['bulk-300', 'across'], 'C');
  await before.run('commit');
  for (const [through, user] of [
    [call, 'bulk-400'],
    [other, 'bulk-500'],
    [call, 'own'],
  ] as const) {
    assert.equal((await through('PATCH', `/v1/users/${user}/segments`, { add: ['C'], remove: ['A'] })).status, 200);
  }
  for (const [user, expected] of [
    ['bulk-100', 'A,B'],
    ['bulk-200', ''],
    ['bulk-300', 'A'],
    ['bulk-400', 'C'],
    ['bulk-500', 'C'],
  ] as const) {
    const asked = relay.countOf('facts.current');
    const { body } = await call('GET', `/v1/users/${user}/segments`);
    assert.equal((body.segments ?? []).filter((slug: string) => slug !== 'D').join(), expected, user);
    assert.ok(relay.countOf('facts.current') > asked, 'the database was asked');
  }
  load.release();
  await assertSame(app);
  await across.run('commit');
  await assertSame(app);
  assert.deepEqual((await readMemory(app, 'bulk-300'))?.slice(0, 2), ['A', 'C']);
});

test('transactions that began before the load and commit during or after it are followed', async () => {
  const held: { commit(): Promise<unknown> }[] = [];
  const { app, load } = await startLoading(async (open) => {
    for (const user of ['bulk-100', 'bulk-200', 'late']) {
      const one = await open();
      await one.run('begin');
      await one.toggle([user], 'B');
      held.push({ commit: () => one.run('commit') });
    }
  });
  await load.reached;
  await held[2]!.commit();
  await held[0]!.commit();
  load.release();
  await assertSame(app);
  await held[1]!.commit();
  await assertSame(app);
});

for (const how of ['the backend is terminated', 'the connection breaks'] as const) {
  test(`${how} in the middle of a load: another one is made`, async () => {
    const { app, load } = await startLoading();
    const { relay, writer } = app;
    await load.reached;
    await writer.toggle(['bulk-100', 'new'], 'B');
    const loads = relay.countOf(copyText);
    if (how === 'the connection breaks') relay.cut(copyText);
    else await writer.run('select pg_terminate_backend(pid) from unnest($1::int[]) b (pid)', [relay.backendsOf(copyText)]);
    await writer.toggle(['bulk-200'], 'B');
    load.release();
    await assertSame(app);
    assert.ok(relay.countOf(copyText) > loads);
  });
}

/** An app on a large table, of whose load the first piece has come and no more comes until it is released. */
async function startLoading(
  prepare: (open: () => ReturnType<typeof openWriter>) => Promise<unknown> = async () => {},
): Promise<{ app: FollowedApp; load: Held }> {
  let load!: Held;
  const app = await startFollowedApp({
    prepare: async (writer, relay, connection) => {
      await makeBulk(writer, 20_000);
      await prepare(() => openWriter(connection));
      relay.countOf(copyText);
      load = relay.holdAnswer(copyText);
    },
  });
  return { app, load };
}
