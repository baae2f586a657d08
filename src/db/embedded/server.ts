import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { link, readFile, realpath, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, DatabaseError } from 'pg';
import { codeOf, EmbeddedPostgresError, orMissing, processOptions, tellingLine } from './account.ts';
import type { Binaries } from './binaries.ts';
import { type DataPlace, isAlive, openLog, placeSocket } from './places.ts';

export interface Server {
  readonly data: DataPlace;
  readonly binaries: Binaries;
  /** `postgres` in the data folder: PostgreSQL's own data directory. */
  readonly cluster: string;
  readonly log: (line: string) => void;
}

/**
 * A connection to the cluster's server, which is started when it is not up. One that is just starting (here or in another
 * process) or stopping is waited for, until `limit` is aborted.
 */
export async function connect(server: Server, limit: AbortSignal): Promise<Client> {
  let start: Start | undefined;
  let tellAt = performance.now() + 2_000;
  for (;;) {
    const answer = await knock(server);
    if (answer instanceof Client) return answer;
    if (!answer.isThere && !start?.isRunning()) {
      await start?.assertRepeatable();
      start = await startServer(server);
    }
    if (limit.aborted) {
      throw new EmbeddedPostgresError(
        `PostgreSQL in ${server.cluster} did not answer in time (${answer.reason}): see ${logOf(server)}`,
      );
    }
    if (performance.now() > tellAt) {
      server.log(`waiting for PostgreSQL in ${server.cluster}: ${answer.reason}`);
      tellAt += 10_000;
    }
    await delay(25);
  }
}

/**
 * Cuts all connections, writes what is in memory, and returns when the server is gone: PostgreSQL's fast shutdown. Not by
 * `pg_ctl stop`, which takes a server that somebody starts right afterwards for the one that it waits for.
 */
export async function stop({ cluster }: Server, limit: AbortSignal): Promise<void> {
  const { pid = NaN } = (await readPidFile(cluster)) ?? {};
  if (!(await isPostmaster(pid, cluster))) throw new Error(`process ${pid} is not its server`);
  process.kill(pid, 'SIGINT');
  while (await isPostmaster(pid, cluster)) {
    if (limit.aborted) throw new Error(`process ${pid} did not end in time`);
    await delay(25);
  }
}

/** Whether a failure means that the server went away, rather than that it refused what was asked. */
export function isLoss(error: unknown): boolean {
  if (error instanceof DatabaseError) return lossCodes.has(error.code ?? '');
  // The driver has no codes for what it says itself.
  return (
    error instanceof Error &&
    ('syscall' in error || /^(Connection terminated|timeout expired|Client (has|was))/.test(error.message))
  );
}

/** admin_shutdown, crash_shutdown and cannot_connect_now. */
const lossCodes = new Set(['57P01', '57P02', '57P03']);

const logOf = ({ data }: Server) => join(data.folder, 'postgres.log');

/** Tries once. `isThere` when a server is there, so that another must not be started. */
async function knock({ cluster }: Server): Promise<Client | { isThere: boolean; reason: string }> {
  const lock = await readPidFile(cluster);
  if (!lock) return { isThere: false, reason: 'it is not running' };
  const { pid, port, host } = lock;
  if (host) {
    const client = new Client({
      host,
      port,
      user: 'segmentd',
      database: 'postgres',
      ssl: false,
      connectionTimeoutMillis: 5_000,
    });
    // Without a listener a lost connection would end the process; the loss itself is told by 'end', which always follows.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      const isDeaf = codeOf(error) === 'ENOENT' || codeOf(error) === 'ECONNREFUSED';
      // 53300: too many connections.
      if (!isDeaf && (isLoss(error) || codeOf(error) === '53300')) return { isThere: true, reason: String(error) };
      if (!isDeaf) throw error;
    }
  }
  return { isThere: await isPostmaster(pid, cluster), reason: `process ${pid} does not listen` };
}

/**
 * One value a line: process, data directory, start, port, folder of the socket; the last comes only when the server has
 * got that far (https://www.postgresql.org/docs/18/storage-file-layout.html).
 */
async function readPidFile(cluster: string) {
  const text = await orMissing(readFile(join(cluster, 'postmaster.pid'), 'utf8'));
  if (text === undefined) return undefined;
  const [pid, directory = '', , port, host] = text.split('\n');
  // In a copy of a running server's folder the file tells of that server, which has other data.
  const isOwn = (await orMissing(realpath(directory))) === cluster;
  return { pid: Number(pid), port: Number(port), host: isOwn ? host : undefined };
}

interface Start {
  isRunning(): boolean;
  /** Throws what stopped the server, unless it was another one's that had just started or not quite ended. */
  assertRepeatable(): Promise<void>;
}

/**
 * Not by `pg_ctl start`, which goes through a shell with paths in double quotes, so that a `$` in a folder's name would
 * be expanded. As the leader of its own session the server outlives us and no Ctrl-C reaches it.
 */
async function startServer(server: Server): Promise<Start> {
  const { data, binaries, cluster } = server;
  const socket = await placeSocket(data);
  await removeStaleLock(join(cluster, 'postmaster.pid'), cluster);
  await removeStaleLock(join(socket, '.s.PGSQL.5432.lock'), cluster);

  await using log = await openLog(logOf(server), data.account);
  const { size } = await log.stat();
  const child = spawn(join(binaries.folder, 'postgres'), ['-D', cluster, ...serverOptions(socket)], {
    ...processOptions(data.account),
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  let failure: string | undefined;
  child.once('error', (error) => (failure = error.message));
  child.once('exit', (code, signal) => (failure = `exit ${code ?? signal}`));
  child.unref();
  return {
    isRunning: () => failure === undefined,
    async assertRepeatable() {
      const output = (await readFile(logOf(server))).subarray(size).toString();
      if (/lock file .* (already exists|is empty)|shared memory block .* still in use/.test(output)) return;
      throw new EmbeddedPostgresError(`PostgreSQL in ${cluster} does not start (${failure}): ${tellingLine(output)}`);
    },
  };
}

const serverOptions = (socket: string) =>
  [
    'listen_addresses=',
    // A list, in which quotes keep a comma or a space in a name together.
    `unix_socket_directories="${socket.replaceAll('"', '""')}"`,
    'unix_socket_permissions=0700',
    'port=5432',
    'max_connections=100',
    'logging_collector=off',
    'log_checkpoints=off',
  ].flatMap((setting) => ['-c', setting]);

/**
 * PostgreSQL sees by itself that a lock file is left from a process that is gone, but not that its number belongs to
 * something else by now, as it soon does in a container. Nobody answered on the socket when this is called.
 */
async function removeStaleLock(path: string, cluster: string): Promise<void> {
  const judged = await orMissing(readFile(path, 'utf8'));
  const pid = Math.abs(Number.parseInt(judged ?? '', 10));
  if (judged === undefined || !isAlive(pid) || (await isPostmaster(pid, cluster))) return;
  const aside = `${path}.${randomUUID()}`;
  await orMissing(rename(path, aside));
  // Another process may have put a living one there since.
  if ((await orMissing(readFile(aside, 'utf8'))) !== judged) await orMissing(link(aside, path));
  await rm(aside, { force: true });
}

/** Whether the process is a server of this cluster that we started. A zombie has no command and is none. */
async function isPostmaster(pid: number, cluster: string): Promise<boolean> {
  return (await commandOf(pid)).includes(`/postgres -D ${cluster} -c `);
}

async function commandOf(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    return (await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)])).stdout;
  } catch (error) {
    // No such process: said by the file system, by the kernel, or by `ps`.
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ESRCH' || code === 1) return '';
    throw error;
  }
}
