import assert from 'node:assert/strict';
import { after } from 'node:test';
import type { ClientConfig } from 'pg';
import { openDatabase } from '../../src/db/database.ts';
import { type Call, startApp, type TestApp } from '../support/app.ts';
import { cloneDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/service.ts';
import { openRelay, type Relay } from './relay.ts';
import { openWriter, type Writer } from './writer.ts';

export const slugs = ['A', 'B', 'C', 'D'];

/** An app that answers from memory, and whatever lies between it and its database. */
export interface FollowedApp extends Pick<TestApp, 'call' | 'as' | 'another' | 'keys'> {
  /** Straight to the server, as are the apps of `another`. */
  readonly database: TestDatabase;
  readonly relay: Relay;
  readonly writer: Writer;
}

interface Options {
  database?: TestDatabase;
  maxStalenessSeconds?: number;
  /** Before the app is there. */
  prepare?: (writer: Writer, relay: Relay, connection: ClientConfig) => Promise<unknown>;
}

export async function startFollowedApp({ database, maxStalenessSeconds = 300, prepare }: Options = {}): Promise<FollowedApp> {
  const direct = database ?? (await cloneDatabase());
  const relay = await openRelay(direct.connection);
  const through = openDatabase({ connection: relay.connection });
  const writer = await openWriter(direct.connection);
  await prepare?.(writer, relay, direct.connection);
  relay.countOf(askText);
  const { call, as, another, keys } = await startApp({
    database: { ...direct, pool: through.pool, clock: through.clock, connect: through.connect },
    reading: { cache: 'snapshot', maxStalenessSeconds },
  });
  after(async () => {
    await through.close();
    await relay.close();
  });
  return { call, as, another, keys, database: direct, relay, writer };
}

export async function makeSegments({ call }: { call: Call }) {
  for (const slug of slugs)
    assert.equal((await call('POST', '/v1/segments', { slug, percent: slug === 'D' ? 40 : 0 })).status, 201);
}

/** What the queries bear that read the present from the database. */
const askText = 'facts.current';

/** Users whom nobody ever wrote: they are only where the percentages put them. */
const unknownIds = Array.from({ length: 20 }, (_, i) => `unknown-${i}`);

interface Seen {
  user_id: string;
  segments: string[] | null;
}

/** So many users named `bulk-1` and so on, in A; of them `differences` asks for each hundredth. */
export async function makeBulk(writer: Writer, count: number) {
  for (const slug of slugs) {
    await writer.run(`select create_segment((select version from definitions), 0, 'infinity', $1, '', $1, null, $2, 'test')`, [
      slug,
      slug === 'D' ? '{[0,4000)}' : '{}',
    ]);
  }
  await writer.run(
    `with moment as (select date_trunc('milliseconds', clock_timestamp()) as now),
       made as (insert into users select 'bulk-' || i, now, (extract(epoch from now) * 1000000)::bigint
         from moment, generate_series(1, $1::int) i)
     insert into memberships select 'bulk-' || i, (select segment_id from segments where slug = 'A'),
         now, 'infinity', now, false, 'test', 'import' from moment, generate_series(1, $1::int) i`,
    [count],
  );
}

/**
 * Where memory and the database differ, about all that was committed by now: nowhere, if all is well. It waits until memory
 * answers and says that it has all this, and takes it at its word.
 */
export async function differences(
  { call, writer, relay }: FollowedApp,
  { isWoken = true, limitMs = 10_000 }: { isWoken?: boolean; limitMs?: number } = {},
): Promise<string[]> {
  const known = await writer.run<{ user_id: string }>(`select user_id from users where user_id !~ '^bulk-' or user_id ~ '00$'`);
  const ids = [...known.map((row) => row.user_id), ...unknownIds];
  const at = await writer.clock();
  if (isWoken) await writer.wake();
  const chunks = Array.from({ length: Math.ceil(ids.length / 1000) }, (_, i) => ids.slice(i * 1000, i * 1000 + 1000));
  const different: string[] = [];
  for (const user_ids of chunks) {
    let held: Seen[] = [];
    await until(
      async () => {
        const asked = relay.countOf(askText);
        const { status, body } = await call('POST', '/v1/lookup', { user_ids });
        if (status === 503 || relay.countOf(askText) > asked || Date.parse(body.as_of) <= at) return false;
        assert.equal(status, 200);
        held = body.users;
        return true;
      },
      'memory to have caught up',
      limitMs,
    );
    let exact: Seen[] = [];
    await until(async () => {
      // A pool whose connections broke gives each of them out once more.
      const { status, body } = await call('POST', '/v1/lookup', { user_ids, last_revision: true });
      if (status === 503) return false;
      assert.equal(status, 200);
      exact = body.users;
      return true;
    }, 'the database to answer');
    for (const [i, { user_id, segments }] of exact.entries()) {
      const [memory, database] = [held[i]!.segments, segments].map((slugs) => slugs?.join() ?? '-');
      if (memory !== database) different.push(`${user_id}: memory ${memory}, database ${database}`);
    }
  }
  // An end counts in the sizes up to a second after its moment.
  let sizes: string[] = [];
  await until(
    async () => {
      sizes = await differentSizes({ call, writer });
      return sizes.length === 0;
    },
    'the sizes to be those of the database',
    limitMs,
  ).catch(() => different.push(...sizes));
  return different;
}

/** Where a segment's size in memory is not what the database has. */
async function differentSizes({ call, writer }: Pick<FollowedApp, 'call' | 'writer'>): Promise<string[]> {
  const { status, body } = await call('GET', '/v1/segments?limit=1000');
  if (status !== 200) return [`the sizes: ${status}`];
  const rows = await writer.run<{ slug: string; members: number }>(
    `select s.slug, count(*)::integer as members from memberships m join segments s using (segment_id)
      where not m.excluded and m.starts_at <= now() and m.ends_at > now() and s.deleted_at = 'infinity' and not exists (
        select from memberships later where later.user_id = m.user_id and later.segment_id = m.segment_id
          and later.starts_at > m.starts_at and later.starts_at <= now())
      group by s.slug`,
  );
  const exact = new Map(rows.map(({ slug, members }) => [slug, members]));
  return (body.segments as { slug: string; members: number }[]).flatMap(({ slug, members }) =>
    members === (exact.get(slug) ?? 0) ? [] : [`${slug}: ${members} members, in the database ${exact.get(slug) ?? 0}`],
  );
}

/** Snapshot = database. */
export async function assertSame(app: FollowedApp, options?: Parameters<typeof differences>[1]) {
  assert.deepEqual(await differences(app, options), []);
}

/** A default read, which must have come from memory. */
export async function readMemory({ call, relay }: FollowedApp, userId: string): Promise<string[] | null> {
  const asked = relay.countOf(askText);
  const { status, body } = await call('GET', `/v1/users/${userId}/segments`);
  assert.equal(status, 200);
  assert.equal(relay.countOf(askText), asked, 'the database was asked');
  return body.segments;
}
