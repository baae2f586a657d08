import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cloneDatabase } from '../support/database.ts';
import { adminKey, runMain, startService, until } from '../support/service.ts';

const folder = await mkdtemp(join(tmpdir(), 'segmentd-process-'));
after(() => rm(folder, { recursive: true, force: true }));

test('SIGTERM lets requests under way finish and ends with 0', async () => {
  const { url, pool } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url });
  await service.send('POST', '/v1/segments', { slug: 'A' });
  const holder = await pool.connect();
  await holder.query('begin; lock table gate in exclusive mode');
  const change = service.send('PATCH', '/v1/users/1000/segments', { add: ['A'] });
  await until(async () => (await waiting(pool)) === 1, 'the change to wait for the gate');
  service.process.kill('SIGTERM');
  await until(() => service.output().includes('stopping'), 'the service to begin stopping');
  await holder.query('commit');
  holder.release();
  const answer = await change;
  assert.equal(answer.status, 200);
  assert.equal(await service.exited, 0);
  await until(async () => (await connections(pool)) === 0, 'no connection of the service to be left');
});

const count = async (pool: Pool, where: string) =>
  (
    await pool.query<{ n: number }>(
      `select count(*) as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and ${where}`,
    )
  ).rows[0]!.n;
type Pool = Awaited<ReturnType<typeof cloneDatabase>>['pool'];
const waiting = (pool: Pool) => count(pool, `wait_event_type = 'Lock'`);
/** Ours in this test are idle by then, and were there before: they are told apart by their query. */
const connections = (pool: Pool) =>
  count(pool, `query not like '%pg_stat_activity%' and query not like 'commit%' and query not like '%set_config%'`);

for (const [name, value, allowed] of [
  ['PORT', '70000', 'a port from 0 to 65535'],
  ['PORT', 'http', 'a port from 0 to 65535'],
  ['LOG_LEVEL', 'loud', 'fatal, error, warn, info, debug, trace or silent'],
  ['LINK_TTL_SECONDS', '0', 'a whole number from 1 to 31536000'],
  ['DATABASE_POOL_SIZE', '1.5', 'a whole number from 2 to 1000'],
  ['PUBLIC_URL', 'example.org', 'an http:// or https:// address'],
] as const) {
  test(`${name}=${value} stops it with one line that says what is allowed`, async () => {
    const { output, exited } = runMain(['serve'], { [name]: value }, folder);
    assert.equal(await exited, 1);
    assert.equal(output().trim().split('\n').length, 1);
    assert.ok(
      output().includes(`${name}: `) && output().includes(JSON.stringify(value).slice(1, -1)) && output().includes(allowed),
      output(),
    );
  });
}

for (const [name, value] of [
  ['ADMIN_KEY', 'too-short'],
  ['LINK_SECRET', 'a-short-secret'],
  ['DATABASE_URL', 'mysql://me:pass-word@host'],
] as const) {
  test(`a bad ${name} is named, and its value is not printed`, async () => {
    const { output, exited } = runMain(['serve'], { [name]: value }, folder);
    assert.equal(await exited, 1);
    assert.ok(output().includes(name) && !output().includes(value), output());
  });
}

test('CACHE=redis without REDIS_URL stops it with one line that names what is missing', async () => {
  const { output, exited } = runMain(['serve'], { CACHE: 'redis' }, folder);
  assert.equal(await exited, 1);
  assert.match(output(), /^[^\n]*REDIS_URL: it is not set[^\n]*\n$/);
});

test('.env in the working folder is read, and the environment outranks it', async () => {
  await writeFile(join(folder, '.env'), 'LOG_LEVEL=loud\n');
  const fromFile = runMain(['serve'], {}, folder);
  assert.equal(await fromFile.exited, 1);
  assert.match(fromFile.output(), /LOG_LEVEL: "loud" is not allowed/);
  const { url } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url, LOG_LEVEL: 'info' }, folder);
  assert.equal((await service.send('GET', '/readyz')).status, 200);
  await rm(join(folder, '.env'));
});

test('a database that is not up is waited for with a line a try, and not for ever', async () => {
  const closed = createServer().listen(0, '127.0.0.1');
  await until(() => closed.listening, 'a port');
  const { port } = closed.address() as { port: number };
  closed.close();
  const { output, exited } = runMain(
    ['serve'],
    { DATABASE_URL: `postgres://nobody@127.0.0.1:${port}/none`, DATABASE_WAIT_SECONDS: '2' },
    folder,
  );
  assert.equal(await exited, 1);
  assert.match(output(), /waiting for the database \(try 1\)/);
  assert.match(output(), /did not answer within 2 s: .*ECONNREFUSED/);
});

test('the first start makes an admin key and prints it once with a line to paste', async () => {
  const { url } = await cloneDatabase();
  const first = await startService({ DATABASE_URL: url, ADMIN_KEY: '' });
  const [, key] = /^ {2}(sgd_\S+)$/m.exec(first.output()) ?? [];
  assert.ok(key && first.output().includes(`curl -s ${first.url}/v1/segments -H 'Authorization: Bearer ${key}'`));
  assert.equal((await fetch(`${first.url}/v1/segments`, { headers: { authorization: `Bearer ${key}` } })).status, 200);
  const second = await startService({ DATABASE_URL: url, ADMIN_KEY: '' });
  assert.ok(!second.output().includes('sgd_'));
});

test('keys are made, listed and revoked beside a running service', async () => {
  const { url } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url });
  const run = async (...args: string[]) => {
    const { output, exited } = runMain(['keys', ...args], { DATABASE_URL: url }, folder);
    return { code: await exited, printed: output() };
  };
  const made = await run('create', '--name', 'analytics', '--scope', 'write');
  assert.match(made.printed, /^sgd_[\w-]{43}\n$/);
  const send = () => fetch(`${service.url}/v1/segments`, { headers: { authorization: `Bearer ${made.printed.trim()}` } });
  assert.equal((await send()).status, 200);
  assert.match((await run('list')).printed, /analytics +write +\S+ +-/);
  assert.equal((await run('revoke', '--name', 'analytics')).code, 0);
  assert.equal((await send()).status, 401);
  assert.match((await run('create', '--name', 'analytics', '--scope', 'read')).printed, /never given again/);
  assert.match((await run('create', '--name', 'a b', '--scope', 'read')).printed, /1 to 128 visible characters/);
  assert.match(
    (await run('create', '--name', 'x', '--scope', 'root')).printed,
    /--scope must be evaluate, read, write, admin; got root/,
  );
});

test('neither keys nor the address of the database with its password are printed', async () => {
  const { url } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url, LOG_LEVEL: 'trace', LINK_SECRET: 'a link secret for tests' });
  await service.send('GET', '/v1/segments');
  await service.send('GET', '/v1/users/1000/report?month=2026-11');
  assert.ok(
    !service.output().includes(adminKey) && !service.output().includes('a link secret') && !service.output().includes(url),
  );
});

test('--help tells every command, and an unknown one says so', async () => {
  const helped = runMain(['--help'], {}, folder);
  assert.equal(await helped.exited, 0);
  for (const command of ['serve', 'migrate', 'keys create', 'keys list', 'keys revoke'])
    assert.ok(helped.output().includes(`segmentd ${command}`));
  const unknown = runMain(['sreve'], {}, folder);
  assert.equal(await unknown.exited, 1);
  assert.match(unknown.output(), /There is no command sreve/);
});

test('an address that is taken is named in one line', async () => {
  const { url } = await cloneDatabase();
  const first = await startService({ DATABASE_URL: url });
  const { port } = new URL(first.url);
  const second = runMain(['serve'], { DATABASE_URL: url, PORT: port, LOG_LEVEL: 'fatal' }, folder);
  assert.equal(await second.exited, 1);
  assert.match(second.output(), new RegExp(`^segmentd: HOST and PORT: 127\\.0\\.0\\.1:${port} cannot be listened on`));
});

test('a word too many is refused', async () => {
  const { output, exited } = runMain(['serve', 'twice'], {}, folder);
  assert.equal(await exited, 1);
  assert.equal(output(), 'segmentd: serve takes no "twice". See segmentd --help.\n');
});

test('SIGTERM also ends a start that still waits for its database', async () => {
  const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', DATABASE_WAIT_SECONDS: '60' };
  const { process: child, output, exited } = runMain(['serve'], env, folder);
  await until(() => output().includes('waiting for the database'), 'it to wait');
  child.kill('SIGTERM');
  assert.equal(await exited, 0);
});
