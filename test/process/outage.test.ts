import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openEmbeddedPostgres } from '../../src/db/embedded/embedded.ts';
import { findRedis } from '../support/redis.ts';
import { type Service, startService, until } from '../support/service.ts';

const limitSeconds = 6;
const redis = await findRedis();
const nearby: [cache: string, env: Record<string, string>, skip: string | false][] = [
  ['snapshot', {}, false],
  ['redis', { REDIS_URL: redis.url }, redis.skip],
];

for (const [cache, env, skip] of nearby) {
  test(
    `with the database stopped, CACHE=${cache} answers up to the limit and then refuses; it heals by itself`,
    { skip },
    async () => {
      const server = await stoppableServer();
      const service = await startService({
        DATABASE_URL: server.url,
        CACHE: cache,
        MAX_STALENESS_SECONDS: String(limitSeconds),
        ...env,
      });
      await put(service, 'POST', '/v1/segments', { slug: 'A' }, 201);
      await put(service, 'POST', '/v1/segments', { slug: 'B' }, 201);
      await put(service, 'PATCH', '/v1/users/1000/segments', { add: ['A'] }, 200);
      const soon = new Date(Date.now() + 3_000).toISOString();
      await put(service, 'PATCH', '/v1/users/1000/segments', { add: ['B'], expires_at: soon }, 200);
      if (cache === 'snapshot') await until(() => isFromMemory(service), 'the snapshot');
      assert.deepEqual(await segments(service), ['A', 'B']);

      await server.stop();
      const stoppedAt = performance.now();
      const change = await service.send('PATCH', '/v1/users/1000/segments', { remove: ['A'] });
      assert.deepEqual(refusal(change), [503, 'database_unavailable', '2']);
      const exact = await service.send('GET', '/v1/users/1000/segments?last_revision=true');
      assert.deepEqual(refusal(exact), [503, 'database_unavailable', '2']);
      const ended = await answersUntilItRefuses(service);
      assert.ok(ended.hasEnded, 'what was to end while the database was down did not');
      assert.deepEqual(refusal(ended.refused), [503, 'stale_read_refused', '2']);
      const lookup = await service.send('POST', '/v1/lookup', { user_ids: ['1000'] });
      assert.deepEqual(refusal(lookup), [503, 'stale_read_refused', '2']);
      assert.ok(performance.now() - stoppedAt > 2_000, 'it refused long before the limit');

      await server.start();
      await until(
        async () => (await service.send('PATCH', '/v1/users/1000/segments', { add: ['B'] })).status === 200,
        'a change after the database is back',
        20_000,
      );
      await until(async () => (await service.send('GET', '/v1/users/1000/segments')).status === 200, 'a read', 20_000);
      assert.deepEqual(await segments(service), ['A', 'B']);
      if (cache === 'snapshot') await until(() => isFromMemory(service), 'the memory to be fresh again', 20_000);
      assert.equal(service.process.exitCode, null);
    },
  );
}

/** Reads until it is refused. What it answers before is never older than the limit, and an end counts all the same. */
async function answersUntilItRefuses(service: Service) {
  const giveUpAt = performance.now() + (limitSeconds + 10) * 1000;
  let hasEnded = false;
  for (;;) {
    const refused = await service.send('GET', '/v1/users/1000/segments');
    if (refused.status !== 200) return { hasEnded, refused };
    assert.ok(Number(refused.headers.get('age')) <= limitSeconds, `an answer of ${refused.headers.get('age')} s`);
    const now = (refused.body as { segments: string[] }).segments;
    assert.ok(now.includes('A') && !(hasEnded && now.includes('B')), now.join());
    hasEnded ||= !now.includes('B');
    assert.ok(performance.now() < giveUpAt, 'it never refused');
  }
}

/** A PostgreSQL of this test's own, at one address through stops and starts. */
async function stoppableServer() {
  const dataDir = await mkdtemp(join(tmpdir(), 'segmentd-outage-'));
  const open = () => openEmbeddedPostgres({ dataDir, role: 'join', log: () => {} });
  let running = await open();
  after(async () => {
    await running.release();
    await rm(dataDir, { recursive: true, force: true });
  });
  const { host, port, user, database } = running.connection;
  return {
    url: `postgres://${user}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
    stop: () => running.release(),
    start: async () => void (running = await open()),
  };
}

async function put(service: Service, method: string, path: string, body: unknown, status: number) {
  const answer = await service.send(method, path, body);
  assert.equal(answer.status, status, JSON.stringify(answer.body));
}

const segments = async (service: Service) =>
  ((await service.send('GET', '/v1/users/1000/segments')).body as { segments: string[] }).segments;

const refusal = ({ status, body, headers }: Awaited<ReturnType<Service['send']>>) => [
  status,
  (body as { code: string }).code,
  headers.get('retry-after'),
];

async function isFromMemory(service: Service): Promise<boolean> {
  const { body } = await service.send('GET', '/metrics');
  const [, age] = /^segmentd_snapshot_age_seconds ([0-9.e-]+)$/m.exec(body as string) ?? [];
  return age !== undefined && Number(age) < limitSeconds;
}
