import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { processOptions } from '../../src/db/embedded/account.ts';
import { initialise, placeBinaries } from '../../src/db/embedded/binaries.ts';
import { makePrivate, placeData } from '../../src/db/embedded/places.ts';
import { until } from './service.ts';

export type Clusters = Awaited<ReturnType<typeof openClusters>>;
export type ClusterServer = ReturnType<Clusters['serverIn']>;

/**
 * A place for clusters of one account, and servers in them, each at a port of its own of one socket. What runs is ended and
 * all is removed after the test file, or as `atEnd` says.
 */
export async function openClusters(atEnd: (end: () => Promise<void>) => void = after) {
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-clusters-'));
  await chmod(folder, 0o755);
  const log = () => {};
  const data = await placeData(join(folder, 'data'), log);
  const binaries = await placeBinaries(data, log);
  const socket = await makePrivate(join(data.folder, 'socket'), data.account);
  const running = new Set<ChildProcess>();

  const end = async (child: ChildProcess, signal: NodeJS.Signals) => {
    if (!running.has(child)) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  atEnd(async () => {
    await Promise.all([...running].map((child) => end(child, 'SIGQUIT')));
    await Promise.all([folder, data.folder].map((path) => rm(path, { recursive: true, force: true, maxRetries: 5 })));
  });

  const connectionTo = (port: number, database = 'segmentd') => ({ host: socket, port, user: 'segmentd', database });

  const ask = async (text: string, port: number, database?: string): Promise<pg.QueryResult> => {
    const client = new pg.Client({ ...connectionTo(port, database), connectionTimeoutMillis: 5_000 });
    client.on('error', () => {}); // shown by the statement under way
    await client.connect();
    try {
      return await client.query(text);
    } finally {
      await client.end();
    }
  };

  return {
    account: data.account,
    pathOf: (name: string) => join(data.folder, name),
    connectionTo,
    ask,

    /** A new cluster; its folder. */
    async make(name: string): Promise<string> {
      const cluster = join(data.folder, name);
      await initialise({ data, binaries, cluster, log });
      return cluster;
    },

    /** Once more, as it is now; its folder. */
    async copy(from: string, name: string): Promise<string> {
      await promisify(execFile)('cp', ['-a', from, join(data.folder, name)]);
      return join(data.folder, name);
    },

    serverIn(cluster: string, port: number) {
      let child: ChildProcess | undefined;
      const isUp = () => child !== undefined && running.has(child);

      const spawnOnce = (settings: readonly string[]) => {
        const own = ['listen_addresses=', `unix_socket_directories="${socket}"`, `port=${port}`, 'max_connections=100'];
        const made = spawn(
          join(binaries.folder, 'postgres'),
          ['-D', cluster, ...[...own, ...settings].flatMap((one) => ['-c', one])],
          { ...processOptions(data.account), stdio: 'ignore' },
        );
        running.add(made);
        made.once('exit', () => running.delete(made));
        child = made;
      };

      return {
        cluster,
        port,
        isUp,

        /** Returns when it answers. `patience`: how often a start is tried, while a killed server's processes still end. */
        async start(settings: readonly string[] = [], patience = 1): Promise<void> {
          let tries = 0;
          const answers = async () => {
            if (!isUp()) {
              if (tries++ === patience) throw new Error(`the server in ${cluster} does not start`);
              if (tries > 1) await new Promise((resolve) => setTimeout(resolve, 200));
              spawnOnce(settings);
            }
            return ask('select 1', port, 'postgres').then(
              () => true,
              () => false,
            );
          };
          await until(answers, `the server in ${cluster}`, 30_000);
        },

        /** `immediate` is a crash: what is not on disk is lost. `kill` leaves its processes to find out by themselves. */
        async stop(how: 'fast' | 'immediate' | 'kill'): Promise<void> {
          if (child) await end(child, ({ fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const)[how]);
        },
      };
    },
  };
}
