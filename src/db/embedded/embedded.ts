import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { codeOf, EmbeddedPostgresError } from './account.ts';
import { initialise, placeBinaries } from './binaries.ts';
import { placeData } from './places.ts';
import { connect, isLoss, type Server, stop } from './server.ts';

export { EmbeddedPostgresError };

export interface EmbeddedPostgres {
  /** For the `pg` driver. A Unix socket in a private folder; never a TCP port. */
  readonly connection: { host: string; port: number; user: string; database: string };
  /**
   * Lets go of the server; stops it (fast) when no other process of this folder uses it. Idempotent. End your own pools
   * first: a server that stops cuts them.
   */
  release(): Promise<void>;
}

type Role = 'serve' | 'join';

interface Options {
  /** Absolute, or relative to the working folder. Made when missing. */
  readonly dataDir: string;
  /** At most one `serve` a data folder; any other command is a `join`. */
  readonly role: Role;
  readonly log: (line: string) => void;
}

/**
 * The real PostgreSQL that npm installed, on a database `segmentd` in the data folder. It is started when it is not up,
 * else joined; both within two minutes. It outlives a process that is killed, and the next one to open the folder takes
 * it over. Should the server end under us, it is started again and its loss logged; connections to it are then new ones.
 *
 * Throws `EmbeddedPostgresError` for what the user can mend: another `serve` on the folder, data of another major version,
 * no package for this platform, a folder that cannot be used, a server that does not start.
 */
export async function openEmbeddedPostgres({ dataDir, role, log }: Options): Promise<EmbeddedPostgres> {
  try {
    const data = await placeData(dataDir, log);
    const binaries = await placeBinaries(data, log);
    const server = { data, binaries, cluster: join(data.folder, 'postgres'), log };
    await initialise(server);
    return await useServer(server, role, dataDir);
  } catch (error) {
    if (!unusableFolderCodes.has(String(codeOf(error)))) throw error;
    throw new EmbeddedPostgresError(`No data can be kept in ${dataDir} (${String(error)}): set DATA_DIR or DATABASE_URL.`, {
      cause: error,
    });
  }
}

/** Failures of the file system that another folder, or another user, mends. */
const unusableFolderCodes = new Set(['EACCES', 'ENOENT', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOSPC', 'ENAMETOOLONG']);

async function useServer(server: Server, role: Role, dataDir: string): Promise<EmbeddedPostgres> {
  const { cluster, log } = server;
  const released = new AbortController();
  let holder: Client | undefined;
  let regaining: Promise<void> | undefined;

  async function hold(): Promise<Client> {
    const limit = AbortSignal.any([released.signal, AbortSignal.timeout(openLimitMs)]);
    const client = await takeUp(server, role, dataDir, limit);
    client.once('end', () => {
      holder = undefined;
      if (!released.signal.aborted) regaining = regain();
    });
    return (holder = client);
  }

  /** Without our lock the next command that ends would stop the server under us, and nobody would start one that is gone. */
  async function regain(): Promise<void> {
    log(`lost the connection to PostgreSQL in ${cluster}: taking it up again`);
    while (!holder && !released.signal.aborted) {
      try {
        await hold();
        log(`PostgreSQL in ${cluster} is there again`);
      } catch (error) {
        log(`PostgreSQL in ${cluster} is not back yet: ${String(error)}`);
        await delay(regainPauseMs, undefined, { signal: released.signal }).catch(() => undefined);
      }
    }
  }

  async function release(): Promise<void> {
    released.abort();
    await regaining;
    if (holder) await letGo(server, holder);
  }

  const { host, port } = await hold();
  let releasing: Promise<void> | undefined;
  return { connection: { host, port, user: 'segmentd', database: 'segmentd' }, release: () => (releasing ??= release()) };
}

const openLimitMs = 120_000;
const stopLimitMs = 60_000;
const regainPauseMs = 2_000;

/**
 * A connection that holds our locks. They are advisory locks of the session, on the maintenance database, so a process
 * that is killed loses them with its connection: `users` shared by everyone, `serve` by the one that serves.
 */
async function takeUp(server: Server, role: Role, dataDir: string, limit: AbortSignal): Promise<Client> {
  for (;;) {
    const client = await connect(server, limit);
    try {
      // Waits for one that is just stopping the server (`letGo`), which cuts us off: then it is started anew.
      await client.query("set lock_timeout = '60s'");
      await client.query(`select pg_advisory_lock_shared(${locks.users})`);
      if (role === 'serve') await becomeServe(client, dataDir);
      await createDatabase(client);
      return client;
    } catch (error) {
      if (isLoss(error) && !limit.aborted) continue;
      await letGo(server, client);
      throw error;
    }
  }
}

/** The first number is "segm" in ASCII, so that they meet no other program's locks. */
const locks = { users: '1936025453, 1', serve: '1936025453, 2' };

async function becomeServe(client: Client, dataDir: string): Promise<void> {
  try {
    // Long enough for the server to see that a `serve` killed a moment ago is gone.
    await client.query("set lock_timeout = '1s'");
    await client.query(`select pg_advisory_lock(${locks.serve})`);
  } catch (error) {
    if (codeOf(error) !== '55P03') throw error;
    throw new EmbeddedPostgresError(
      `Another \`segmentd serve\` runs on ${resolve(dataDir)}: stop it, or set DATA_DIR to another folder.`,
    );
  }
}

async function createDatabase(client: Client): Promise<void> {
  const { rowCount } = await client.query("select from pg_database where datname = 'segmentd'");
  if (rowCount !== 0) return;
  await client.query('create database segmentd').catch((error: unknown) => {
    // Another process was first: 42P04 when it is there, 23505 when it came while we were at it.
    if (codeOf(error) !== '42P04' && codeOf(error) !== '23505') throw error;
  });
}

/**
 * Gives our locks back, and stops the server if `users` can then be had exclusively: nobody else holds it, and who asks
 * for it now waits and is cut off. Given back first, because of two that let go at once each would see the other's.
 */
async function letGo(server: Server, client: Client): Promise<void> {
  try {
    await client.query('select pg_advisory_unlock_all()');
    const { rows } = await client.query<{ last: boolean }>(`select pg_try_advisory_lock(${locks.users}) as last`);
    if (rows[0]?.last) await stop(server, AbortSignal.timeout(stopLimitMs));
  } catch (error) {
    server.log(`PostgreSQL in ${server.cluster} may still run: ${String(error)}`);
  } finally {
    await client.end();
  }
}
