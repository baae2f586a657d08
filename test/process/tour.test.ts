import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cloneDatabase } from '../support/database.ts';
import { adminKey, type Service, startService, until } from '../support/service.ts';

const voice = 'AVITO_VOICE_MESSAGES';
const vas = 'AVITO_PERFORMANCE_VAS';
const discount30 = 'AVITO_DISCOUNT_30';
const discount50 = 'AVITO_DISCOUNT_50';
const newCard = 'AVITO_NEW_CARD';
const twoDaysSeconds = 2 * 24 * 60 * 60;

suite('the Postman collection', async () => {
  const newman = fileURLToPath(import.meta.resolve('newman/bin/newman.js'));
  const path = fileURLToPath(new URL('../../postman/segmentd.postman_collection.json', import.meta.url));
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-newman-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const database = await cloneDatabase();
  const service = await startService({ DATABASE_URL: database.url });

  const expected = namesOf(JSON.parse(await readFile(path, 'utf8')) as Folder).map((name) => {
    return `${name}: ${name.startsWith('Ask about each') ? 100 : 1}`;
  });

  for (const time of ['on an empty database', 'once more, on what it left']) {
    test(`passes from its first request to its last, ${time}`, { timeout: 120_000 }, async () => {
      const { code, run } = await runCollection();
      assert.deepEqual(run.failures.map(nameOf), []);
      assert.equal(code, 0);
      const sent = Map.groupBy(run.executions, ({ item }) => item.name);
      assert.deepEqual(
        Array.from(sent, ([name, times]) => `${name}: ${name === 'See it done' ? 1 : times.length}`), // asked until it is
        expected,
      );
      assert.ok(run.stats.assertions.total > expected.length);
    });
  }

  test('notices a service that answers otherwise', { timeout: 120_000 }, async () => {
    assert.equal((await service.send('POST', '/v1/segments', { slug: 'EVERYBODY', percent: 100 })).status, 201);
    const { code, run } = await runCollection('--bail');
    // Bailing out repeats the failure that it is about.
    const failures = [...new Set(run.failures.map(nameOf))];
    assert.deepEqual(failures, ['Put user 1000 into three segments: says what changed, and what the user is in now']);
    assert.equal(code, 1);
  });

  async function runCollection(...more: string[]): Promise<{ code: number | null } & Report> {
    const report = join(folder, `${randomUUID()}.json`);
    const variables = ['--env-var', `baseUrl=${service.url}`, '--env-var', `key=${adminKey}`];
    const args = ['run', path, ...variables, '--reporters', 'json', '--reporter-json-export', report, ...more];
    const child = spawn(process.execPath, [newman, ...args], { stdio: 'ignore' });
    after(() => void child.kill());
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, ...(JSON.parse(await readFile(report, 'utf8')) as Report) };
  }
});

interface Folder {
  name: string;
  item?: Folder[];
}

interface Report {
  run: {
    stats: { assertions: { total: number } };
    executions: { item: { name: string } }[];
    failures: { source?: { name: string }; error: { test?: string; message: string } }[];
  };
}

const nameOf = ({ source, error }: Report['run']['failures'][number]) => `${source?.name}: ${error.test ?? error.message}`;

/** The names of the requests, in the order they are sent. */
const namesOf = ({ name, item }: Folder): string[] => item?.flatMap(namesOf) ?? [name];

suite('the tour', async () => {
  const database = await cloneDatabase();
  const service = await startService({ DATABASE_URL: database.url });
  const other = await startService({ DATABASE_URL: database.url });
  const { read, change, why } = talkTo(service);
  let added1000: Changed, added1002: Changed, removed1000: Changed, lent1002: Changed, deletedAt: string;

  test('creates four segments with nobody in them', async () => {
    for (const slug of [voice, vas, discount30, discount50]) {
      const { status, body, headers } = await service.send('POST', '/v1/segments', { slug });
      assert.deepEqual([status, headers.get('location')], [201, `/v1/segments/${slug}`]);
      const { created_at } = body as { created_at: string };
      const rest = { description: '', percent: 0, salt: slug, exclusive_group: null, ranges: [], scheduled: [] };
      assert.deepEqual(body, { slug, ...rest, created_at, updated_at: created_at });
    }
  });

  test('puts 1000 into three and 1002 into two; 1004 is in none, which is null', async () => {
    added1000 = await change('1000', { add: [voice, vas, discount30] });
    added1002 = await change('1002', { add: [voice, discount50] });
    assert.deepEqual(added1000.segments, [discount30, vas, voice]);
    assert.deepEqual(added1002.segments, [discount50, voice]);
    for (const [userId, segments] of [
      ['1000', added1000.segments],
      ['1002', added1002.segments],
      ['1004', null],
    ] as const) {
      assert.deepEqual((await read(userId, 'last_revision=true')).segments, segments);
      await until(async () => same((await read(userId)).segments, segments), `the default read of ${userId}`);
    }
  });

  test('takes one segment from 1000, and the others stay', async () => {
    removed1000 = await change('1000', { remove: [discount30] });
    assert.deepEqual([removed1000.removed, removed1000.segments], [[discount30], [vas, voice]]);
    assert.deepEqual((await read('1000', 'last_revision=true')).segments, [vas, voice]);
    assert.deepEqual((await read('1000', `min_revision=${removed1000.revision}`)).segments, [vas, voice]);
  });

  test('gives 1002 a segment for two days, to the millisecond', async () => {
    lent1002 = await change('1002', { add: [vas], ttl_seconds: twoDaysSeconds });
    const until = new Date(Date.parse(lent1002.as_of) + twoDaysSeconds * 1000).toISOString();
    const { body } = await service.send('GET', '/v1/users/1002/memberships');
    const { memberships } = body as { memberships: { segment: string; starts_at: string; ends_at: string | null }[] };
    assert.deepEqual(
      memberships.map(({ segment, starts_at, ends_at }) => [segment, starts_at, ends_at]),
      [
        [discount50, added1002.as_of, null],
        [vas, lent1002.as_of, until],
        [voice, added1002.as_of, null],
      ],
    );
    const { member, because, since, until: told } = await why('1002', vas);
    assert.deepEqual([member, because, since, told], [true, 'added', lent1002.as_of, until]);
  });

  test('takes 10 percent of all users: of 1000 to 1099 between 1 and 25, the same ones whoever is asked', async () => {
    const { body } = await service.send('POST', '/v1/segments', { slug: newCard, percent: 10 });
    const { created_at, ranges } = body as { created_at: string; ranges: number[][] };
    assert.deepEqual(ranges, [[0, 1000]]);
    const users = Array.from({ length: 100 }, (_, i) => String(1000 + i));
    const inNewCard = async (by: Service) => {
      const answers = await Promise.all(users.map((userId) => talkTo(by).read(userId, 'last_revision=true')));
      return answers.filter(({ segments }) => segments?.includes(newCard)).map(({ user_id }) => user_id);
    };
    const found = await inNewCard(service);
    assert.ok(found.length >= 1 && found.length <= 25, `${found.length} are in`);
    assert.deepEqual(await inNewCard(service), found);
    assert.deepEqual(await inNewCard(other), found);

    const { member, because, since, rollout } = await why(found[0]!, newCard);
    assert.deepEqual([member, because, since, rollout?.percent], [true, 'rollout', created_at, 10]);
    assert.ok(rollout!.bucket < 1000);
    assert.deepEqual(await linesOf(found[0]!), [`${found[0]},${newCard},add,${created_at},rollout`]);
  });

  test('deletes a segment: it is gone from 1002, and why says since when', async () => {
    assert.equal((await service.send('DELETE', `/v1/segments/${discount50}`)).status, 204);
    assert.deepEqual((await read('1002', 'last_revision=true')).segments, [vas, voice]);
    const { member, because, since } = await why('1002', discount50);
    assert.deepEqual([member, because], [false, 'segment_deleted']);
    deletedAt = since!;
  });

  test('knows where 1002 was, up to the millisecond before the deletion', async () => {
    const justBefore = new Date(Date.parse(deletedAt) - 1).toISOString();
    for (const [at, segments] of [
      [added1002.as_of, [discount50, voice]],
      [lent1002.as_of, [discount50, vas, voice]],
      [justBefore, [discount50, vas, voice]],
      [deletedAt, [vas, voice]],
    ] as const) {
      for (const { read } of [service, other].map(talkTo)) {
        const answer = await read('1002', `at=${at}`);
        assert.deepEqual([answer.segments, answer.as_of], [segments, at]);
      }
    }
    const { member, because, since, until } = await why('1002', discount50, justBefore);
    assert.deepEqual([member, because, since, until], [true, 'added', added1002.as_of, deletedAt]);
  });

  test('says why 1000 is not in a segment, and in another', async () => {
    const out = await why('1000', discount30);
    assert.deepEqual([out.member, out.because, out.since, out.changed_by], [false, 'removed', removed1000.as_of, 'admin']);
    const inside = await why('1000', voice);
    assert.deepEqual([inside.member, inside.because, inside.since, inside.until], [true, 'added', added1000.as_of, null]);
  });

  test('has every entry and exit of the month in the file behind the link', async () => {
    assert.deepEqual(await linesOf('1000'), [
      ...[discount30, vas, voice].map((slug) => `1000,${slug},add,${added1000.as_of},request`),
      `1000,${discount30},remove,${removed1000.as_of},request`,
    ]);
    assert.deepEqual(await linesOf('1002'), [
      ...[discount50, voice].map((slug) => `1002,${slug},add,${added1002.as_of},request`),
      `1002,${vas},add,${lent1002.as_of},request`,
      `1002,${discount50},remove,${deletedAt},segment_deleted`,
    ]);
    assert.deepEqual(await linesOf('1004'), []);
  });

  /** The lines of this month's file, fetched without a key; the history as JSON must tell the same. */
  async function linesOf(userId: string): Promise<string[]> {
    const month = added1000.as_of.slice(0, 7);
    const { body } = await service.send('GET', `/v1/users/${userId}/report?month=${month}`);
    const { url } = body as { url: string };
    assert.ok(url.startsWith(`${service.url}/v1/downloads/`));
    const file = await fetch(url);
    assert.deepEqual([file.status, file.headers.get('content-type')], [200, 'text/csv; charset=utf-8']);
    const [header, ...lines] = (await file.text()).split('\r\n');
    assert.deepEqual([header, lines.pop()], ['user_id,segment,operation,at,cause', '']);

    const history = await service.send('GET', `/v1/users/${userId}/history?month=${month}`);
    const { events } = history.body as { events: Record<'segment' | 'operation' | 'at' | 'cause', string>[] };
    assert.deepEqual(
      events.map(({ segment, operation, at, cause }) => [userId, segment, operation, at, cause].join()),
      lines,
    );
    return lines;
  }
});

interface SegmentsOfUser {
  user_id: string;
  segments: string[] | null;
  as_of: string;
  revision: string;
}

interface Changed extends SegmentsOfUser {
  added: string[];
  removed: string[];
}

interface Why {
  member: boolean;
  because: string;
  since: string | null;
  until: string | null;
  changed_by: string | null;
  rollout: { percent: number; bucket: number } | null;
}

/** The calls of the tour, each of which must be answered with 200. */
function talkTo({ send }: Service) {
  const ask = async <T>(...request: Parameters<Service['send']>): Promise<T> => {
    const { status, body } = await send(...request);
    assert.equal(status, 200, JSON.stringify(body));
    return body as T;
  };
  return {
    read: (userId: string, query = '') => ask<SegmentsOfUser>('GET', `/v1/users/${userId}/segments?${query}`),
    change: (userId: string, body: object) => ask<Changed>('PATCH', `/v1/users/${userId}/segments`, body),
    why: (userId: string, slug: string, at?: string) =>
      ask<Why>('GET', `/v1/users/${userId}/segments/${slug}${at ? `?at=${at}` : ''}`),
  };
}

const same = (a: readonly string[] | null, b: readonly string[] | null) => JSON.stringify(a) === JSON.stringify(b);
