import { readFile } from 'node:fs/promises';
import { newKey } from '../../src/access/key.ts';
import type { BenchDatabase } from './postgres.ts';
import { BenchError, startServer } from './processes.ts';

export interface Service extends AsyncDisposable {
  readonly url: string;
  /** Of the scope admin. */
  readonly key: string;
  /** Throws for an answer that is no success. */
  send(method: string, path: string, body?: unknown): Promise<{ readonly text: string; readonly headers: Headers }>;
  /** The most memory that the process ever held. */
  peakMegabytes(): Promise<number>;
}

/** One key for all that a run starts, since a database knows only the first. */
export const key = newKey();

/** The service as a user runs it: a process with its settings as they are by default. */
export async function startService(database: BenchDatabase, env: Record<string, string> = {}): Promise<Service> {
  return serviceOf(
    await startServer('src/main.ts', ['serve'], {
      DATABASE_URL: database.url,
      ADMIN_KEY: key,
      HOST: '127.0.0.1',
      PORT: '0',
      ...env,
    }),
  );
}

/** The same, with its default reads answered from memory. */
export async function startServiceWithSnapshot(database: BenchDatabase, users: number): Promise<Service> {
  const service = await startService(database, { CACHE: 'snapshot' });
  const giveUpAt = performance.now() + 600_000;
  for (;;) {
    const { text } = await service.send('GET', '/metrics');
    const [held, ageSeconds] = ['users', 'age_seconds'].map((name) =>
      Number(new RegExp(`^segmentd_snapshot_${name} (\\d.*)$`, 'm').exec(text)?.[1]),
    );
    if (held! >= users && ageSeconds! >= 0) return service;
    if (performance.now() > giveUpAt) throw new BenchError(`the snapshot holds ${held} of ${users} users after 10 minutes`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function serviceOf(server: Awaited<ReturnType<typeof startServer>>): Service {
  const { url } = server;
  return {
    url,
    key,
    async send(method, path, body) {
      const answer = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
      return { text, headers: answer.headers };
    },
    async peakMegabytes() {
      const status = await readFile(`/proc/${server.process.pid}/status`, 'utf8');
      return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) / 1024);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
