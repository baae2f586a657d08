import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  constants,
  type FileHandle,
  lchown,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { type Account, codeOf, EmbeddedPostgresError, exists, findAccount, findBarrier, orMissing } from './account.ts';

/** What root keeps for an account that cannot enter the folder asked for. */
export const stateFolder = '/var/lib/segmentd';

export interface DataPlace {
  /** Holds the cluster, its log and its socket. */
  readonly folder: string;
  readonly account: Account;
}

/**
 * The folder asked for, or one below /var/lib/segmentd when the account cannot enter that one. Data that is already in
 * either is found again, whatever has become of the folders above it since.
 */
export async function placeData(dataDir: string, log: (line: string) => void): Promise<DataPlace> {
  const wanted = await canonical(resolve(dataDir));
  // postmaster.pid holds one value a line, the path of the cluster among them.
  if (/[\r\n]/.test(wanted)) throw new EmbeddedPostgresError('DATA_DIR has a line break in its path: choose another folder.');

  const account = await findAccount(join(wanted, 'postgres'));
  const folder = account.foreign ? await reachableFolder(wanted, account, log) : wanted;
  await makeFolder(folder, account);
  return { folder, account };
}

/** A folder for the socket that only the account (and root) can enter, at a path short enough for a socket. */
export async function placeSocket({ folder, account }: DataPlace): Promise<string> {
  const elsewhere = privateName(folder, account);
  for (const place of [join(folder, 'socket'), join(tmpdir(), elsewhere), join('/tmp', elsewhere)]) {
    // The kernel's limit is 108 bytes on Linux and 104 on macOS, with the closing NUL.
    const isShort = Buffer.byteLength(join(place, '.s.PGSQL.5432')) < 100;
    if (isShort && !(await findBarrier(dirname(place), account))) return makePrivate(place, account);
  }
  throw new EmbeddedPostgresError(`No path for a socket is short and open to ${account.name}: set DATA_DIR to a shorter path.`);
}

/**
 * To append to; a log that has grown large is kept as its one predecessor. Never through a link: we may be root here, in
 * a folder that belongs to the account.
 */
export async function openLog(path: string, { uid, gid }: Account): Promise<FileHandle> {
  const size = (await orMissing(lstat(path)))?.size ?? 0;
  if (size > maxLogBytes) await rename(path, `${path}.1`);
  const log = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  await log.chown(uid, gid);
  return log;
}

const maxLogBytes = 10_000_000;

/** The name of what belongs to a data folder and has to lie in a folder that everybody shares. */
export const privateName = (folder: string, account: Account) => `segmentd-${account.uid}-${shortHash(folder)}`;

/** Makes a folder of mode 700, or refuses one that is somebody else's: who enters it may be the database's superuser. */
export async function makePrivate(folder: string, account: Account): Promise<string> {
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
  // Root's: made just now, here or by another process that is about to do the same.
  if (account.foreign && (await lstat(folder)).uid === 0) await lchown(folder, account.uid, account.gid);
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== account.uid || (found.mode & 0o077) !== 0) {
    throw new EmbeddedPostgresError(`${folder} is not a private folder (mode 700) of ${account.name}: remove it.`);
  }
  return folder;
}

/**
 * Like `mkdir -p`, but what it makes is open to the account whatever the umask. Not by Node's `recursive`, which goes on for
 * ever where a file system (`/proc`) says of a folder below one that exists that there is no such file.
 */
export async function makeFolder(folder: string, account: Account): Promise<void> {
  if (await exists(folder)) {
    if (!(await stat(folder)).isDirectory()) throw Object.assign(new Error(`${folder} is no folder`), { code: 'ENOTDIR' });
    return;
  }
  if (dirname(folder) !== folder) await makeFolder(dirname(folder), account);
  await mkdir(folder).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error; // another process was first
  });
  if (account.foreign) await chmod(folder, 0o755);
}

/**
 * Makes a folder, unless it is there with `proof` in it, under a temporary name that is changed when it is whole. So what
 * a kill leaves half-made is never used, and a later call clears it. Of two makers at once one wins, for both.
 */
export async function makeWhole(folder: string, proof: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  await removeAbandoned(folder);
  if (await exists(join(folder, proof))) return;
  const temporary = await mkdtemp(`${folder}.new-${process.pid}-${processToken}-`);
  try {
    await fill(temporary);
    await rename(temporary, folder).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error;
    });
    await syncToDisk(dirname(folder));
  } finally {
    await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
  }
}

export async function syncToDisk(path: string): Promise<void> {
  await using handle = await open(path);
  await handle.sync();
}

/** Whether a process has this number. It may be any process: numbers come back. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

const processToken = randomBytes(4).toString('hex');

const shortHash = (path: string) => createHash('sha256').update(path).digest('hex').slice(0, 12);

/** Without links, so that one folder has one name, and so that the folders above it are those that have to be entered. */
async function canonical(path: string): Promise<string> {
  return (await orMissing(realpath(path))) ?? join(await canonical(dirname(path)), basename(path));
}

async function reachableFolder(wanted: string, account: Account, log: (line: string) => void): Promise<string> {
  const relocated = join(stateFolder, `${basename(wanted)}-${shortHash(wanted)}`);
  const holdsData = (folder: string) => exists(join(folder, 'postgres/PG_VERSION'));
  const barrier = await findBarrier(wanted, account);
  if (await holdsData(wanted)) {
    if (!barrier) return wanted;
    // Relocated it would start empty, as if the data were lost.
    throw new EmbeddedPostgresError(
      `${account.name}, who owns the data in ${wanted}, cannot enter ${barrier}: chmod o+x ${barrier}`,
    );
  }
  if (await holdsData(relocated)) {
    log(`the data is in ${relocated}, because ${account.name} could not enter ${barrier ?? wanted}`);
    return relocated;
  }
  if (!barrier) return wanted;
  // An empty folder made for the data (a volume, `mktemp -d`) is handed over, as private as it was.
  if (barrier === wanted && (await lstat(wanted)).uid === 0 && (await readdir(wanted)).length === 0) {
    await chown(wanted, account.uid, account.gid);
    return wanted;
  }
  log(`the data is in ${relocated}, because ${account.name} cannot enter ${barrier}`);
  return relocated;
}

async function removeAbandoned(folder: string): Promise<void> {
  const prefix = `${basename(folder)}.new-`;
  for (const name of await readdir(dirname(folder))) {
    if (!name.startsWith(prefix)) continue;
    const [pid, token] = name.slice(prefix.length).split('-');
    // Our own number with another token is of an earlier process: in a container numbers come back at once.
    const isBeingMade = Number(pid) === process.pid ? token === processToken : isAlive(Number(pid));
    if (!isBeingMade) await rm(join(dirname(folder), name), { recursive: true, force: true, maxRetries: 5 });
  }
}
