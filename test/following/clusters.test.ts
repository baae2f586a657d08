import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openDatabase } from '../../src/db/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { until } from '../support/service.ts';
import { openAddress } from './cluster.ts';
import { assertSame, type FollowedApp, makeSegments, readMemory, slugs, startFollowedApp } from './followed-app.ts';
import { openWriter, type Writer } from './writer.ts';

const address = await openAddress();
const { connection } = address;
/** No test starts from another's cluster, but from a copy of this one. */
const empty = await address.make('empty');
await empty.stop('fast');

/** An app on a running copy of the empty cluster, with some users in segments. */
async function startOn(name: string, options: { settings?: string[]; maxStalenessSeconds?: number; isEmpty?: boolean } = {}) {
  const cluster = await empty.copy(name);
  await cluster.start(...(options.settings ?? []));
  const own = openDatabase({ connection });
  const url = `postgres://${connection.user}@/${connection.database}?host=${encodeURIComponent(connection.host)}&port=5432`;
  const database: TestDatabase = { ...own, connection, url };
  after(() => own.close());
  own.pool.on('error', () => {});
  const app = await startFollowedApp({ database, ...options });
  if (options.isEmpty) return { app, cluster };
  await makeSegments(app);
  for (const user of ['one', 'two', 'three'])
    assert.equal((await app.call('PATCH', `/v1/users/${user}/segments`, { add: ['A'] })).status, 200);
  await assertSame(app);
  return { app, cluster };
}

/** The app at the address, seen through a new connection of the test's own. */
const again = async (app: FollowedApp): Promise<FollowedApp> => ({ ...app, writer: await openWriter(connection) });

async function cutOff({ relay }: FollowedApp) {
  relay.refuse(true);
  relay.cut();
}

for (const isOvertaken of [true, false]) {
  test(`a crash after which transaction ids come again, ${isOvertaken ? 'and go on past' : 'all before'} where memory was`, async () => {
    const { app, cluster } = await startOn(`crash-${isOvertaken}`, { settings: ['wal_writer_delay=10s'] });
    await untilAllIsSettled(app);
    const { lost, snapshot } = await takeIdsToLose(app);
    await assertSame(app, { isWoken: false });
    await cutOff(app);
    const crashedAt = new Date(await app.writer.clock());
    await cluster.stop('immediate');
    await cluster.start();

    const now = await again(app);
    const { writer } = now;
    for (const user of ['again-0', 'one', 'again-2', 'two']) await writer.toggle([user], 'B');
    const [before] = await writer.run<{ given_again: string[]; is_hidden: boolean }>(
      `select array_agg(xid::text) as given_again, bool_or(pg_visible_in_snapshot(xid, $1::text::pg_snapshot)) as is_hidden
        from changes where at > $2`,
      [snapshot, crashedAt],
    );
    assert.ok(
      before!.given_again.some((id) => lost.has(BigInt(id))),
      'no id came again',
    );
    assert.ok(before!.is_hidden, 'by its id each change is new');
    const xmax = BigInt(snapshot.split(':')[1]!);
    if (isOvertaken) while ((await writer.takeId()) < xmax);
    else assert.ok((await writer.takeId()) < xmax);
    app.relay.refuse(false);
    await assertSame(now);
    await cluster.stop('fast');
  });
}

test('an older copy of the cluster at the same address: what it holds is answered, without a restart', async () => {
  const { app, cluster } = await startOn('restored');
  await cluster.stop('fast');
  const copy = await cluster.copy('older');
  await cluster.start();
  const first = await again(app);
  await until(async () => (await app.call('POST', '/v1/segments', { slug: 'later', percent: 50 })).status === 201, 'a segment');
  await first.writer.toggle(['one', 'new'], 'B');
  await first.writer.toggle(['two'], 'later');
  await assertSame(first);

  await cutOff(app);
  await cluster.stop('fast');
  await copy.start();
  const second = await again(app);
  await second.writer.toggle(['one', 'other'], 'C');
  app.relay.refuse(false);
  await assertSame(second);
  assert.deepEqual(without('D', await readMemory(second, 'two')), ['A']);
  await copy.stop('fast');
});

test('a copy of the cluster that went another way, by more changes than memory has seen', async () => {
  const { app, cluster } = await startOn('parted');
  await cluster.stop('fast');
  const copy = await cluster.copy('parted-copy');
  await cluster.start();
  const first = await again(app);
  await first.writer.toggle(['one', 'new'], 'B');
  await assertSame(first);

  await cutOff(app);
  const reached = await first.writer.takeId();
  await cluster.stop('fast');
  await copy.start();
  const second = await again(app);
  for (let i = 0; i < 10; i++) await second.writer.toggle(['two', `other-${i}`], 'C');
  await goBeyond(second.writer, reached);
  app.relay.refuse(false);
  await assertSame(second);
  assert.deepEqual(without('D', await readMemory(second, 'one')), ['A']);
  await copy.stop('fast');
});

for (const isEmpty of [true, false]) {
  test(`in place of ${isEmpty ? 'an empty cluster' : 'a cluster in use'} another one, further on in every way: what it holds is answered, without a restart`, async () => {
    const { app, cluster } = await startOn(`left-${isEmpty}`, { isEmpty });
    const keys = await app.writer.run<Record<string, unknown>>('select name, sha256, scope from api_keys');
    for (let i = 0; i < 100; i++) await app.writer.takeId(); // so that the other's changes have ids below
    await assertSame(app);
    const reached = await app.writer.takeId();
    await cutOff(app);
    await cluster.stop('fast');

    const other = await address.make(`other-${isEmpty}`);
    const now = await again(app);
    const { writer } = now;
    for (const { name, sha256, scope } of keys)
      await writer.run('insert into api_keys (name, sha256, scope) values ($1, $2, $3)', [name, sha256, scope]);
    for (const [i, slug] of slugs.toReversed().entries()) {
      const version = '(select version from definitions)';
      await writer.run(`select create_segment(${version}, 0, 'infinity', $1, '', 'salt', null, $2, 'test')`, [
        slug,
        `{[0,${i * 1000 + 1})}`,
      ]);
    }
    await writer.toggle(['two', 'stranger'], 'B');
    await writer.run(`update changes set at = at - interval '1 hour'`); // not found by its moment either
    await goBeyond(writer, reached);
    app.relay.refuse(false);
    await assertSame(now);
    await other.stop('fast');
  });
}

test('a standby at the address is neither followed nor read, memory answers until its limit, and a promotion heals', async () => {
  const { app, cluster } = await startOn('primary', { maxStalenessSeconds: 2 });
  await cluster.stop('fast');
  const standby = await cluster.copy('standby');
  await standby.standBy();
  await cluster.start();
  const first = await again(app);
  await first.writer.toggle(['one'], 'B');
  await assertSame(first);
  await cluster.stop('fast');
  await standby.start();

  const { call, as } = app;
  const refused = await call('GET', '/v1/users/one/segments?last_revision=true');
  assert.deepEqual([refused.status, refused.body.code], [503, 'database_unavailable']);
  assert.deepEqual(without('D', await readMemory(app, 'one')), ['A', 'B']);
  assert.equal((await call('PATCH', '/v1/users/one/segments', { add: ['C'] })).body.code, 'database_unavailable');
  const ready = await as(null)('GET', '/readyz');
  assert.deepEqual([ready.status, ready.body.not_ready], [503, ['the database is a standby']]);
  await until(async () => {
    const { status, body } = await call('GET', '/v1/users/one/segments');
    if (status === 200) assert.deepEqual(without('D', body.segments), ['A', 'B']);
    return status === 503;
  }, 'the limit of staleness');

  const second = await again(app);
  await second.writer.run('select pg_promote()');
  await second.writer.toggle(['two'], 'C');
  await assertSame(second);
  assert.deepEqual(without('D', await readMemory(second, 'one')), ['A']);
  await second.writer.toggle(['three'], 'C');
  await assertSame(second);
  assert.equal((await as(null)('GET', '/readyz')).status, 200);
  await standby.stop('fast');
});

const without = (slug: string, slugs: string[] | null) => (slugs ?? []).filter((one) => one !== slug);

/** Past a position in ids and in what is settled, so that neither tells that the history is another one. */
async function goBeyond(writer: Writer, id: bigint) {
  while ((await writer.takeId()) <= id);
  const at = await writer.clock();
  await until(
    async () => Number((await writer.run<{ s: string }>('select settle() as s'))[0]!.s) > at * 1000,
    'a settled moment',
  );
}

/** Until polls write nothing any more, since what they wrote would take what lies before it to disk. */
async function untilAllIsSettled(app: FollowedApp) {
  const { relay } = app;
  const counts = () => [relay.countOf('log.settle\0'), relay.countOf('log.settled')] as const;
  let [writing, reading] = counts();
  await until(() => {
    const [nowWriting, nowReading] = counts();
    if (nowWriting === writing) return nowReading > reading;
    [writing, reading] = [nowWriting, nowReading];
    return false;
  }, 'polls that only read');
}

/**
 * Transactions with ids of which nothing reaches the disk: every second one is rolled back, the last one too, so that the
 * next snapshot is beyond them all and takes those for finished.
 */
async function takeIdsToLose({ writer }: FollowedApp) {
  await writer.run('checkpoint');
  const lost = new Set<bigint>();
  const open: Writer[] = [];
  for (let i = 0; i < 6; i++) {
    const one = await openWriter(connection);
    await one.run('begin');
    lost.add(await one.takeId());
    open.push(one);
  }
  for (const [i, one] of open.entries()) if (i % 2 === 1) await one.run('rollback');
  const [row] = await writer.run<{ snapshot: string }>('select pg_current_snapshot()::text as snapshot');
  return { lost, snapshot: row!.snapshot };
}
