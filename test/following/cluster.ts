import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { openDatabase } from '../../src/db/database.ts';
import { processOptions } from '../../src/db/embedded/account.ts';
import { initialise, placeBinaries } from '../../src/db/embedded/binaries.ts';
import { makePrivate, placeData } from '../../src/db/embedded/places.ts';
import { migrate } from '../../src/db/migrate.ts';
import { until } from '../support/service.ts';

/**
 * One address at which one of several clusters answers at a time, as after a restore or a failover. All of it is ended and
 * removed after the test file.
 */
export async function openAddress() {
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-clusters-'));
  await chmod(folder, 0o755);
  const log = () => {};
  const data = await placeData(join(folder, 'data'), log);
  const binaries = await placeBinaries(data, log);
  const socket = await makePrivate(join(data.folder, 'socket'), data.account);
  const connection = { host: socket, port: 5432, user: 'segmentd', database: 'segmentd' };
  let running: ChildProcess | undefined;

  const stop = async (signal: 'SIGINT' | 'SIGQUIT') => {
    if (running?.exitCode !== null || running.signalCode !== null) return; // none, or it has ended
    const ended = once(running, 'exit');
    running.kill(signal);
    await ended;
  };
  after(async () => {
    await stop('SIGQUIT');
    await Promise.all([folder, data.folder].map((path) => rm(path, { recursive: true, force: true, maxRetries: 5 })));
  });

  const ask = async (text: string, database: string) => {
    const client = new pg.Client({ ...connection, database });
    client.on('error', () => {});
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  };

  const clusterIn = (cluster: string) => ({
    /** Returns when it answers. Whichever ran before has ended by then. */
    async start(...settings: string[]): Promise<void> {
      await stop('SIGQUIT');
      const own = ['listen_addresses=', `unix_socket_directories="${socket}"`, 'port=5432', 'max_connections=100'];
      const child = spawn(
        join(binaries.folder, 'postgres'),
        ['-D', cluster, ...[...own, ...settings].flatMap((one) => ['-c', one])],
        { ...processOptions(data.account), stdio: 'ignore' },
      );
      running = child;
      const answers = () => {
        if (child.exitCode !== null) throw new Error(`the server in ${cluster} does not start`);
        return ask('select 1', 'postgres').then(
          () => true,
          () => false,
        );
      };
      await until(answers, `the server in ${cluster}`, 20_000);
    },

    /** `immediate` is a crash: what is not on disk is lost. */
    stop: (how: 'fast' | 'immediate') => stop(how === 'fast' ? 'SIGINT' : 'SIGQUIT'),

    /** The same cluster once more, as it is now. It must be stopped. */
    async copy(name: string) {
      await promisify(execFile)('cp', ['-a', cluster, join(data.folder, name)]);
      return clusterIn(join(data.folder, name));
    },

    /** From its next start on it follows, though nobody leads it, until it is promoted. */
    standBy: () => writeFile(join(cluster, 'standby.signal'), ''),
  });

  return {
    connection,

    /** A new cluster, running, with a migrated database. */
    async make(name: string) {
      const cluster = join(data.folder, name);
      await initialise({ data, binaries, cluster, log });
      const made = clusterIn(cluster);
      await made.start();
      await ask('create database segmentd', 'postgres');
      const database = openDatabase({ connection, poolSize: 1 });
      await migrate(database.pool);
      await database.close();
      return made;
    },
  };
}
