import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { processOptions, runAs } from '../../src/db/embedded/account.ts';
import { makePrivate, placeData } from '../../src/db/embedded/places.ts';
import { until } from '../support/service.ts';

/** Where the PostgreSQL of the machine has its programs, `pg_dump` among them, which the embedded one lacks; the oldest, if so. */
export const installed = globSync('/usr/lib/postgresql/*/bin/pg_dump')
  .map((path) => path.replace(/\/pg_dump$/, ''))
  .sort()[0];

/** A server of the installed PostgreSQL with an empty database; ended and removed after the test file. */
export async function startInstalled(bin: string) {
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-installed-'));
  await chmod(folder, 0o755);
  const data = await placeData(join(folder, 'data'), () => {});
  const socket = await makePrivate(join(data.folder, 'socket'), data.account);
  const cluster = await makePrivate(join(data.folder, 'cluster'), data.account);
  await runAs(data.account, join(bin, 'initdb'), [
    '-D',
    cluster,
    '--username=segmentd',
    '--auth=trust',
    '--no-sync',
    '--encoding=UTF8',
  ]);
  const settings = ['listen_addresses=', `unix_socket_directories=${socket}`, 'fsync=off'].flatMap((one) => ['-c', one]);
  const server: ChildProcess = spawn(join(bin, 'postgres'), ['-D', cluster, ...settings], {
    ...processOptions(data.account),
    stdio: 'ignore',
  });
  after(async () => {
    const ended = once(server, 'exit');
    if (server.kill('SIGQUIT')) await ended;
    await Promise.all([folder, data.folder].map((path) => rm(path, { recursive: true, force: true, maxRetries: 5 })));
  });

  const connection = { host: socket, port: 5432, user: 'segmentd', database: 'segmentd' };
  const ask = async (text: string) => {
    const client = new pg.Client({ ...connection, database: 'postgres' });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  };
  const answers = () => {
    if (server.exitCode !== null) throw new Error('the installed PostgreSQL does not start');
    return ask('select 1').then(
      () => true,
      () => false,
    );
  };
  await until(answers, 'the installed PostgreSQL', 30_000);
  await ask('create database segmentd');
  const url = `postgres://segmentd@/segmentd?host=${encodeURIComponent(socket)}&port=5432`;
  return { connection, url };
}

/** Runs one of its programs as a person at a terminal would, with the words of `docs/operations.md`. */
export const runInstalled = async (bin: string, program: string, args: string[]): Promise<void> =>
  void (await promisify(execFile)(join(bin, program), args, { env: { PATH: process.env.PATH! } }));

export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-dump-'));
  after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
