import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase, type Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { startRedis } from '../support/redis.ts';
import { adminKey, until } from '../support/service.ts';
import { watch } from './audit.ts';
import { ask } from './http.ts';
import { type Network, openNetwork } from './network.ts';
import { firstSegments } from './operations.ts';
import { openPair } from './postgres.ts';
import { openService, type ServiceProcess } from './service-process.ts';

export type Surroundings = Awaited<ReturnType<typeof openSurroundings>>;

/** Small, so that a fault of some seconds is longer. */
export const maxStalenessSeconds = 3;

export const poolSize = 8;

/**
 * Two processes of the service on one database, one with memory and one with Redis, each with a network of its own to it; the
 * database with its standby; Redis. All of it ends with `stack`.
 */
export async function openSurroundings(stack: AsyncDisposableStack, root: URL) {
  const atEnd = (end: () => Promise<void>) => stack.defer(end);
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-faults-'));
  await chmod(folder, 0o755);
  atEnd(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const pair = await openPair(atEnd);
  const redis = await startRedis(atEnd);

  const direct = async <T>(use: (database: Database) => Promise<T>): Promise<T> => {
    const database = openDatabase({ connection: pair.connection(), poolSize: 4 });
    database.pool.on('error', () => {});
    try {
      return await use(database);
    } finally {
      await database.close();
    }
  };
  await direct(async (database) => {
    await migrate(database.pool);
    await watch(database);
  });

  const services: { name: string; port: number; process: ServiceProcess; network: Network }[] = [];
  for (const [name, cache] of [
    ['memory', 'snapshot'],
    ['redis', 'redis'],
  ] as const) {
    const network = await openNetwork(atEnd, pair.path);
    const env = {
      DATABASE_URL: `postgres://segmentd@127.0.0.1:${network.port}/segmentd`,
      DATABASE_POOL_SIZE: String(poolSize),
      CACHE: cache,
      MAX_STALENESS_SECONDS: String(maxStalenessSeconds),
      ...(cache === 'redis' ? { REDIS_URL: redis.url } : {}),
    };
    const process = await openService(atEnd, { name, folder, env, root });
    services.push({ name, port: process.port, process, network });
  }
  for (const { process } of services) await process.start();

  const first = services[0]!;
  const mustCall = async (method: 'POST', path: string, body: unknown) => {
    const answer = await ask(first.port, adminKey, { method, path, body });
    if (answer.outcome !== 'acknowledged') throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  };

  return {
    folder,
    pair,
    redis,
    services,
    /** A connection pool straight to the primary, for as long as it is used. */
    direct,

    /** Makes what the clients work with: the segments, and a key each. */
    async prepare(clients: number): Promise<{ actor: string; key: string }[]> {
      for (const segment of firstSegments) {
        const { exclusive_group, ...rest } = segment;
        await mustCall('POST', '/v1/segments', { ...rest, ...(exclusive_group === null ? {} : { exclusive_group }) });
      }
      const keys = [];
      for (let i = 0; i < clients; i++) {
        const actor = `client-${i}-${randomBytes(2).toString('hex')}`;
        keys.push({ actor, key: (await mustCall('POST', '/v1/keys', { name: actor, scope: 'write' })).body.key as string });
      }
      return keys;
    },

    /** Until both services say that they are ready. */
    async healthy(): Promise<void> {
      for (const { name, process } of services) await until(() => process.ready(), `${name} to be ready`, 60_000);
    },
  };
}
