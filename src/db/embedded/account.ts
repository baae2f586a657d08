import { execFile } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** A failure that the user can mend. The message is one line that says what is wrong and what to do. */
export class EmbeddedPostgresError extends Error {}

/** Who PostgreSQL runs as. It refuses to run as root, so root runs it as somebody else: then `foreign` is true. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly foreign: boolean;
}

/**
 * The account for a cluster: ourselves; for root the owner of what is there already (so `sudo` on somebody's data
 * folder neither takes it from them nor misses their running server), else the user `postgres`, made when missing.
 */
export async function findAccount(cluster: string): Promise<Account> {
  const uid = process.geteuid?.();
  const gid = process.getegid?.();
  if (uid === undefined || gid === undefined) {
    throw new EmbeddedPostgresError('The embedded PostgreSQL runs on Linux and macOS only: set DATABASE_URL.');
  }
  const owner = await ownerOf(cluster);
  if (uid !== 0) {
    if (owner && owner.uid !== uid) {
      throw new EmbeddedPostgresError(`${cluster} belongs to user ${owner.uid}: run as that user or as root, or set DATA_DIR.`);
    }
    return { name: `user ${uid}`, uid, gid, foreign: false };
  }
  if (owner && owner.uid !== 0) return { name: `user ${owner.uid}`, uid: owner.uid, gid: owner.gid, foreign: true };
  const postgres = (await lookUpPostgres()) ?? (await makePostgres());
  if (owner && (await exists(join(cluster, 'PG_VERSION')))) {
    throw new EmbeddedPostgresError(`PostgreSQL does not run as root, the owner of ${cluster}: chown -R postgres ${cluster}`);
  }
  return { name: 'user postgres', ...postgres, foreign: true };
}

/**
 * The first of the folders down to `path` that the account may not enter (for a `path` to be read: `path` itself).
 * What does not exist yet is no barrier. Another user's rights are read from the mode bits with the primary group
 * alone, because Node drops the supplementary groups when it starts a process as another user.
 */
export async function findBarrier(path: string, account: Account, right = constants.X_OK): Promise<string | undefined> {
  const above = dirname(path) === path ? undefined : await findBarrier(dirname(path), account);
  return above ?? ((await permits(path, account, right)) ? undefined : path);
}

/** Runs a program of PostgreSQL to its end. */
export async function runAs(account: Account, program: string, args: string[]): Promise<void> {
  try {
    await execFileAsync(program, args, processOptions(account));
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? error.stderr : '';
    const output = typeof said === 'string' && said !== '' ? said : String(error);
    const failure = `${basename(program)}, run as ${account.name}, failed: ${tellingLine(output)}`;
    throw new EmbeddedPostgresError(failure, { cause: error });
  }
}

/** Our own working folder may be closed to the account, and our environment (PGDATA, PGPORT, LANG) must not reach PostgreSQL. */
export const processOptions = ({ uid, gid, foreign }: Account) => ({
  cwd: '/',
  env: { PATH: systemPath, LC_ALL: 'C', TZ: 'UTC' },
  ...(foreign ? { uid, gid } : {}),
});

/** Of a program's output the line that tells what went wrong. */
export function tellingLine(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return lines.findLast((line) => /\b(error|FATAL|PANIC)\b/.test(line)) ?? lines.at(-1) ?? 'it said nothing';
}

export const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : undefined);

export const exists = async (path: string) => (await orMissing(stat(path))) !== undefined;

/** The result, or `undefined` when there is no such file. */
export async function orMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

const execFileAsync = promisify(execFile);
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const ownerOf = (path: string) => orMissing(stat(path));

async function permits(path: string, account: Account, right: number): Promise<boolean> {
  if (!account.foreign) {
    return access(path, right).then(
      () => true,
      (error) => codeOf(error) === 'ENOENT',
    );
  }
  const found = await orMissing(stat(path));
  if (!found) return true;
  const shift = found.uid === account.uid ? 6 : found.gid === account.gid ? 3 : 0;
  return ((found.mode >> shift) & right) === right;
}

async function lookUpPostgres(): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map((what) => execFileAsync('id', [what, 'postgres'])));
    return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
  } catch (error) {
    // `id` ran and knows no such user; that it could not run is another matter.
    if (typeof codeOf(error) === 'number') return undefined;
    throw error;
  }
}

async function makePostgres(): Promise<{ uid: number; gid: number }> {
  const options = { env: { PATH: systemPath } };
  let failure: unknown;
  try {
    await execFileAsync('groupadd', ['--system', '--force', 'postgres'], options);
    await execFileAsync(
      'useradd',
      ['--system', '--gid', 'postgres', '--no-create-home', '--shell', '/bin/false', 'postgres'],
      options,
    );
  } catch (error) {
    failure = error;
  }
  // Looked up also after a failure: another process may have made it at the same moment.
  const made = await lookUpPostgres();
  if (made) return made;
  const advice = 'make it, run as another user than root, or set DATABASE_URL';
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as root, and its user postgres could not be made (${tellingLine(String(failure))}): ${advice}.`,
    { cause: failure },
  );
}
