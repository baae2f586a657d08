import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { createClient } from '@redis/client';
import { until } from './service.ts';

const isInstalled = spawnSync('redis-server', ['--version']).error === undefined;

/** For `skip`: why tests that need a Redis of their own do not run, or `false`. */
export const noRedisServer = isInstalled ? false : 'redis-server is not installed';

/** An address where nobody listens. */
export const nowhere = 'redis://127.0.0.1:1';

/**
 * A Redis that is shared with others, so nothing in it may be touched but what a test wrote: the one in `REDIS_URL`, else on
 * the usual port of this machine, else one of this file's own. `skip` says why there is none.
 */
export async function findRedis(): Promise<{ url: string; skip: string | false }> {
  if (process.env.REDIS_URL) return { url: process.env.REDIS_URL, skip: false };
  const local = 'redis://127.0.0.1:6379';
  if (await answers(local)) return { url: local, skip: false };
  if (isInstalled) return { url: (await startRedis()).url, skip: false };
  return { url: nowhere, skip: 'there is no REDIS_URL, no Redis on 127.0.0.1:6379 and no redis-server to start' };
}

export type OwnRedis = Awaited<ReturnType<typeof startRedis>>;

/** A Redis of its own, to be stopped, started, filled and emptied; ended with the test file, or as `atEnd` says. It keeps nothing. */
export async function startRedis(atEnd: (end: () => Promise<void>) => void = after) {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess;
  const start = async () => {
    child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
      stdio: 'ignore',
    });
    await until(() => answers(url), `a Redis on port ${port}`);
  };
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  await start();
  atEnd(kill);
  return {
    url,
    start,
    kill,
    /** It accepts what it is sent and does nothing, until `resume`. */
    freeze: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  };
}

/** A client of the test's own, closed after the test file. */
export async function connectRedis(url: string) {
  const client = createClient({ url, RESP: 2 });
  client.on('error', () => {}); // it connects again by itself
  await client.connect();
  after(() => client.destroy());
  return client;
}

async function answers(url: string): Promise<boolean> {
  const client = createClient({ url, RESP: 2, socket: { reconnectStrategy: false, connectTimeout: 500 } });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.destroy();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
