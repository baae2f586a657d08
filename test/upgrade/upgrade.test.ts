import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../src/checking/checking.service.ts';
import type { Finding } from '../../src/checking/finding.ts';
import type { Database } from '../../src/db/database.ts';
import { findMigrations, migrate } from '../../src/db/migrate.ts';
import { startApp } from '../support/app.ts';
import { cloneDatabase, openAgain } from '../support/database.ts';
import { readEvents } from '../support/event-source.ts';
import { finished } from '../support/imports.ts';
import { runMain, startService, until } from '../support/service.ts';
import { makeSchema, writerOf } from './earlier-schema.ts';

const newest = (await findMigrations()).at(-1)!.version;

async function findingsOf(database: Database): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const page of check(database).findings) found.push(...page.filter(({ rule }) => rule !== 'no_admin_key'));
  return found;
}

interface Acknowledged {
  userId: string;
  moment: number;
  isIn: boolean;
}

/** Toggles one user until it is told to stop; keeps what was acknowledged. What is refused changes nothing and is tried again. */
async function keepWriting(database: Database, version: number, userId: string, isRunning: () => boolean) {
  const { toggle } = writerOf(database, version);
  const acknowledged: Acknowledged[] = [];
  let isIn = false;
  while (isRunning()) {
    try {
      const moment = await toggle(userId, 'A');
      isIn = !isIn;
      acknowledged.push({ userId, moment, isIn });
    } catch (error) {
      // A lock that is not given within the session's limit; a function that is replaced at this moment (the second
      // migration drops one). Anything else is no refusal.
      const { code, message } = error as { code?: string; message: string };
      if (code !== '55P03' && !message.startsWith('cache lookup failed for function')) throw error;
    }
  }
  return acknowledged;
}

for (let version = 1; version < newest; version++) {
  test(`from version ${version} with data, beside processes that write: nothing is lost, and all answers stay`, async () => {
    const database = await cloneDatabase({ empty: true });
    await makeSchema(database, version);
    const old = writerOf(database, version);
    for (const [slug, ranges, group] of [
      ['A', '{}'],
      ['B', '{[0,5000)}'],
      ['G1', '{[0,100)}', 'G'],
      ['gone', '{}'],
    ] as const)
      await old.createSegment(slug, ranges, group);
    const told: Acknowledged[] = [];
    for (const [i, userId] of ['in', 'out', 'in-gone'].entries()) {
      told.push({ userId, moment: await old.toggle(userId, 'A'), isIn: true });
      if (i === 1) told.push({ userId, moment: await old.toggle(userId, 'A'), isIn: false });
    }
    await old.toggle('in-gone', 'gone');
    await old.toggle('ending', 'B', '2035-01-01Z');
    await old.deleteSegment('gone');
    const importId = version < 4 ? null : await leaveAnImport(database);

    let isRunning = true;
    const counts = [0, 0, 0];
    const writers = counts.map((_, i) =>
      keepWriting(openAgain(database), version, `writer-${i}`, () => {
        counts[i]!++;
        return isRunning;
      }),
    );
    const haveWritten = (more: number) => {
      const from = [...counts];
      return until(() => counts.every((count, i) => count >= from[i]! + more), 'writers', 20_000);
    };
    await haveWritten(20);
    const applied = await Promise.all([1, 2, 3].map(() => migrate(openAgain(database).pool)));
    await haveWritten(20);
    isRunning = false;
    told.push(...(await Promise.all(writers)).flat());
    assert.equal(applied.flat().length, newest - version);
    assert.deepEqual(await findingsOf(database), []);

    const { app, call, keys } = await startApp({ database, imports: {} });
    for (const { userId, moment, isIn } of told) {
      const { body } = await call('GET', `/v1/users/${userId}/segments?at=${new Date(moment).toISOString()}`);
      assert.equal((body.segments ?? []).includes('A'), isIn, `${userId} at ${moment}`);
    }
    const last = Math.max(...told.map(({ moment }) => moment));
    const changes = `${await app.listen({ host: '127.0.0.1', port: 0 })}/v1/changes`;
    const authorization = { authorization: `Bearer ${keys.read}` };
    const stream = await readEvents(changes, authorization);
    const longAgo = await readEvents(`${changes}?after=${last - 60_000}`, authorization);
    assert.deepEqual(
      [stream.status, longAgo.status],
      [200, version < 8 ? 410 : 200],
      'what was noted before has no planned starts',
    );
    const { status, body } = await call('PATCH', '/v1/users/in/segments', { add: ['B'], remove: ['A'] });
    assert.deepEqual([status, body.segments, Number(body.revision) / 1000 > last], [200, ['B'], true]);
    await until(
      () => stream.events.some(({ data }) => data.user_id === 'in' && data.segment === 'B'),
      'the stream to tell of it',
    );
    if (importId !== null) {
      assert.deepEqual({ ...(await finished(call, importId)), ...importDone }, await finished(call, importId));
    }
    assert.deepEqual(await findingsOf(database), []);
  });
}

const importDone = { state: 'done', received: 2, applied: 2, segment: 'A' };

/** As a process of an earlier release left it when it was stopped: received, and not yet begun. */
async function leaveAnImport({ pool }: Database): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    `insert into imports (import_id, segment_id, operation, ends_at, replace_in_group, created_by, created_at, state, received, owner, lease_until)
     select new_import_id(), segment_id, 'add', 'infinity', false, 'old', date_trunc('milliseconds', clock_timestamp()), 'running', 2,
       gen_random_uuid(), '-infinity' from segments where slug = 'A' returning import_id::text as id`,
  );
  const { id } = rows[0]!;
  const table = `import_rows_${id.replaceAll('-', '')}`;
  await pool.query(`create table ${table} (line bigint not null, user_id text collate "C" not null);
    insert into ${table} values (1, 'imported-1'), (2, 'imported-2')`);
  return id;
}

test('checksums are kept of what was recorded without them, and an edited, missing or renamed migration is refused', async () => {
  const changes = [
    [
      `update schema_migrations set sha256 = repeat('0', 64) where version = 3`,
      /migrated by another 0003_.+ than the one in this/,
    ],
    [
      `update schema_migrations set name = '0003_other.sql' where version = 3`,
      /records 0003_other\.sql as version 3, where this/,
    ],
    [`delete from schema_migrations where version = 3`, new RegExp(`has schema version ${newest}, but no record of 0003_`)],
  ] as const;
  const database = await cloneDatabase({ empty: true });
  await makeSchema(database, newest);
  assert.deepEqual(await migrate(database.pool), []);
  for (const [sql, line] of changes) {
    const broken = await cloneDatabase({ from: database });
    await broken.pool.query(sql);
    for (const command of ['serve', 'migrate', 'check']) {
      const { exited, output } = runMain([command], { DATABASE_URL: broken.url, PORT: '0' });
      assert.equal(await exited, command === 'check' ? 2 : 1, output());
      assert.match(output(), line);
    }
  }
});

test('beside a newer schema a process goes on, and one that starts is refused with both versions', async () => {
  const database = await cloneDatabase();
  const service = await startService({ DATABASE_URL: database.url });
  assert.equal((await service.send('POST', '/v1/segments', { slug: 'A' })).status, 201);
  const running = { is: true };
  const statuses: number[] = [];
  const streams = [0, 1, 2].map(async (n) => {
    for (let i = 0; running.is; i++) {
      const body = i % 2 ? { remove: ['A'] } : { add: ['A'] };
      statuses.push((await service.send('PATCH', `/v1/users/u${n}/segments`, body)).status);
      statuses.push((await service.send('GET', `/v1/users/u${n}/segments?last_revision=true`)).status);
    }
  });
  const haveAnswered = (more: number) => {
    const from = statuses.length;
    return until(() => statuses.length > from + more, 'answers', 20_000);
  };
  await haveAnswered(60);
  // What a release may do to the one before it: add.
  await database.pool.query(`begin; alter table memberships add column note text not null default '';
    alter table past_memberships add column note text not null default ''; create table notes ();
    insert into schema_migrations (version, name) values (${newest + 1}, 'of the next release'); commit`);
  await haveAnswered(60);
  running.is = false;
  await Promise.all(streams);
  assert.deepEqual([...new Set(statuses)], [200]);

  const { exited, output } = runMain(['serve'], { DATABASE_URL: database.url, PORT: '0' });
  assert.equal(await exited, 1);
  assert.match(
    output(),
    new RegExp(
      `^segmentd: The database has schema version ${newest + 1}; this release knows versions up to ${newest}\\. Run a newer release\\.$`,
      'm',
    ),
  );
});
