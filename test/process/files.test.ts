import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { cloneDatabase } from '../support/database.ts';
import { adminKey, runByNpm, runMain, startService, until } from '../support/service.ts';

const { url: databaseUrl, pool } = await cloneDatabase();
const service = await startService({ DATABASE_URL: databaseUrl });
const folder = await mkdtemp(join(tmpdir(), 'segmentd-files-'));
after(() => rm(folder, { recursive: true }));
await service.send('POST', '/v1/segments', { slug: 'A' });

const environment = { SEGMENTD_URL: service.url, SEGMENTD_KEY: adminKey };
const run = async (...args: string[]) => {
  const command = runMain(args, environment);
  return { code: await command.exited, output: command.output() };
};
const fileOf = async (name: string, text: string) => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};

const ids = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`).join('\n');

/** The import that was made last. */
const newest = async () =>
  (await pool.query<{ state: string; applied: number }>(`select state, applied from imports order by import_id desc limit 1`))
    .rows[0]!;

test('a file goes in from the command line, with what was rejected beside it, and comes out again', async () => {
  const file = await fileOf('ids.csv', 'user_id\nb\na\nnot one\nb\n');
  const { code, output } = await run('import', 'A', file, '--operation', 'add', '--ttl', '2d');
  assert.equal(code, 3, output);
  assert.match(output, /done: 4 rows, 2 applied, 0 unchanged, 2 rejected/);
  assert.equal(
    await readFile(`${file}.rejects.csv`, 'utf8'),
    'line,value,reason\r\n4,not one,invalid_user_id\r\n5,b,duplicate\r\n',
  );

  const target = join(folder, 'out.csv');
  assert.equal((await run('export', 'A', '--output', target)).code, 0);
  assert.equal(await readFile(target, 'utf8'), 'user_id\na\nb\n');
  assert.equal((await run('export', 'A')).output, 'user_id\na\nb\n');
  const again = await run('import', 'A', target, '--operation', 'replace');
  assert.equal(again.code, 0, again.output);
  assert.match(again.output, /done: 2 rows, 0 applied, 2 unchanged, 0 rejected/);
});

test('what is wrong is told in one line, with exit code 1', async () => {
  const file = await fileOf('few.csv', 'a\n');
  const none = await fileOf('none.txt', '');
  for (const [args, line] of [
    [['import', 'A'], /import takes a slug and a file/],
    [['import', 'A', join(folder, 'none.csv')], /none\.csv cannot be read/],
    [['import', 'A', folder], /cannot be read: it is no regular file/],
    [['import', 'A', '/dev/null', '--operation', 'replace'], /cannot be read: it is no regular file/],
    [['import', 'A', none, '--operation', 'replace'], /none\.txt is empty, and replace would take everybody out/],
    [['import', 'A', file, '--ttl', '2y'], /--ttl must be like .* got 2y/],
    [['import', 'A', file, '--operation', 'put'], /--operation must be add, remove or replace; got put/],
    [['import', 'NOWHERE', file], /There is no segment NOWHERE\. \(segment_not_found\)/],
    [['import', 'A', file, 'more'], /import takes no "more"/],
    [['export', 'NOWHERE'], /There is no segment NOWHERE/],
    [['seed', '--users', 'many'], /--users must be a whole number from 1 to 100000000; got many/],
  ] as const) {
    const { code, output } = await run(...args);
    assert.equal(code, 1, output);
    assert.match(output, line);
    assert.equal(output.trim().split('\n').length, 1, output);
  }
  const nobody = runMain(['seed'], { ...environment, SEGMENTD_URL: 'http://127.0.0.1:1' });
  assert.equal(await nobody.exited, 1);
  assert.match(nobody.output(), /^segmentd: http:\/\/127\.0\.0\.1:1 does not answer: .*\.\n$/);
  const keyless = runMain(['export', 'A'], { SEGMENTD_URL: service.url });
  assert.equal(await keyless.exited, 1);
  assert.match(keyless.output(), /Set SEGMENTD_KEY/);
});

test('Ctrl-C cancels the import, and what was applied stays', async () => {
  const file = await fileOf('many.csv', ids('many', 300_000));
  const command = runByNpm(['import', 'A', file], environment); // which passes on what the terminal told both
  await until(
    async () => (await newest()).state === 'running' && (await newest()).applied > 0,
    'the import to be applied',
    30_000,
  );
  process.kill(-command.group, 'SIGINT');
  assert.equal(await command.exited, 130, command.output());
  assert.match(command.output(), /cancelled: what was applied stays/);
  const { state, applied } = await newest();
  assert.equal(state, 'cancelled');
  const { rows } = await pool.query<{ n: number }>(`select count(*) as n from memberships where user_id like 'many-%'`);
  assert.equal(rows[0]!.n, applied);
});

/** A way to the service on which answers come only when they are let through. */
async function withheldAnswers(t: TestContext) {
  const { hostname, port } = new URL(service.url);
  let isLetThrough = false;
  const withheld: (() => void)[] = [];
  let sent = 0;
  const sockets = new Set<Socket>();
  const proxy = createServer((socket) => {
    sockets.add(socket);
    const other = connect(Number(port), hostname);
    socket.on('error', () => other.destroy()).on('data', (bytes) => (sent += bytes.length));
    socket.pipe(other).on('error', () => socket.destroy());
    other.once('data', (bytes) => {
      other.pause();
      const answer = () => {
        socket.write(bytes);
        other.pipe(socket);
      };
      if (isLetThrough) answer();
      else withheld.push(answer);
    });
  }).listen(0, '127.0.0.1');
  t.after(() => proxy.close());
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    sent: () => sent,
    untilOneIsWithheld: () => until(() => withheld.length === 1, 'the answer to be withheld', 30_000),
    /** For good. */
    breakOff() {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
    letThrough() {
      isLetThrough = true;
      for (const answer of withheld.splice(0)) answer();
    },
  };
}

/** An import by such a way. */
async function startImport(t: TestContext, name: string, text: string) {
  const [file, way] = [await fileOf(name, text), await withheldAnswers(t)];
  const command = runMain(['import', 'A', file], { ...environment, SEGMENTD_URL: way.url });
  return { file, way, command };
}

test('Ctrl-C while the answer to a whole file is waited for cancels what the service made of it', async (t) => {
  const { way, command } = await startImport(t, 'answered-late.csv', ids('late', 300_000));
  await way.untilOneIsWithheld();
  command.process.kill('SIGINT');
  await until(() => command.output().includes('waiting for what the service made of the file'), 'the command to say so');
  way.letThrough();
  assert.equal(await command.exited, 130, command.output());
  const [, id] = /cancelled: what was applied stays \(import (\S+)\)/.exec(command.output())!;
  assert.equal(((await service.send('GET', `/v1/imports/${id}`)).body as { state: string }).state, 'cancelled');
});

test('Ctrl-C after the import was done, which was not told yet, tells that it is done', async (t) => {
  const { file, way, command } = await startImport(t, 'done-before.csv', 'done-1\nnot one\n');
  await way.untilOneIsWithheld();
  await until(async () => (await newest()).state === 'done', 'the import to be done');
  command.process.kill('SIGINT');
  await until(() => command.output().includes('waiting for'), 'the command to say so');
  way.letThrough();
  assert.equal(await command.exited, 3, command.output());
  assert.match(command.output(), /done: 2 rows, 1 applied, 0 unchanged, 1 rejected/);
  assert.match(await readFile(`${file}.rejects.csv`, 'utf8'), /not one,invalid_user_id/);
});

test('where the service is gone when it is to be cancelled, that is said in one line', async (t) => {
  const { way, command } = await startImport(t, 'uncancelled.csv', ids('kept', 300_000));
  await way.untilOneIsWithheld();
  way.letThrough();
  await until(() => command.output().includes('applying'), 'it to be applied');
  way.breakOff();
  command.process.kill('SIGINT');
  assert.equal(await command.exited, 1, command.output());
  assert.match(command.output(), /\nsegmentd: Import \S+ could not be cancelled, since \S+ does not answer: it goes on\.\n$/);
});

test('where the answer to a whole file never comes, that is said, also after Ctrl-C', async (t) => {
  const { way, command } = await startImport(t, 'never-answered.csv', 'never-1\n');
  await way.untilOneIsWithheld();
  command.process.kill('SIGINT');
  await until(() => command.output().includes('waiting for'), 'the command to say so');
  way.breakOff();
  assert.equal(await command.exited, 1, command.output());
  assert.match(command.output(), /does not answer: .* It may have the whole file; then it applies it/);
});

test('Ctrl-C in the middle of a file leaves nothing of it', async (t) => {
  const { way, command } = await startImport(t, 'cut-short.csv', ids('short', 4_000_000));
  await until(() => way.sent() > 100_000, 'the file to be on its way', 30_000);
  command.process.kill('SIGINT');
  assert.equal(await command.exited, 130, command.output());
  assert.match(command.output(), /cancelled: nothing was applied/);
  await until(async () => (await newest()).state === 'failed', 'the import to be given up');
  const { rowCount } = await pool.query(`select from memberships where user_id like 'short-%' limit 1`);
  assert.equal(rowCount, 0);
});

test('seed fills a service with segments and users', async () => {
  const { code, output } = await run('seed', '--users', '100', '--segments', '7');
  assert.equal(code, 0, output);
  const { body } = await service.send('GET', '/v1/segments?prefix=DEMO_');
  const { segments } = body as { segments: { slug: string; percent: number }[] };
  assert.deepEqual(
    segments.map(({ slug, percent }) => `${slug} ${percent}`),
    ['DEMO_01 0', 'DEMO_02 0', 'DEMO_03 0', 'DEMO_04 0', 'DEMO_05 0', 'DEMO_06 0', 'DEMO_07 10'],
  );
  const { rows } = await pool.query<{ n: number }>(`select count(*) as n from memberships where user_id like 'user-%'`);
  assert.equal(rows[0]!.n, 100 + 50 + 33 + 25 + 20 + 16 + 14);
});
