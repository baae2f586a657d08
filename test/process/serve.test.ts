import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { selfSigned } from '../support/certificate.ts';
import { cloneDatabase } from '../support/database.ts';
import { freePort } from '../support/redis.ts';
import { adminKey, main, processEnv, runByNpm, runMain, startService, until } from '../support/service.ts';

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
  service.process.kill('SIGTERM'); // as npm passes on what the terminal told both
  await holder.query('commit');
  holder.release();
  const answer = await change;
  assert.equal(answer.status, 200);
  assert.equal(await service.exited, 0);
  await until(async () => (await connections(pool)) === 0, 'no connection of the service to be left');
});

test('told to stop once more a while later it cuts what is under way, and ends with 0 all the same', async () => {
  const { url, pool } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url });
  const holder = await pool.connect();
  await holder.query('begin; lock table gate in exclusive mode');
  const change = service.send('POST', '/v1/segments', { slug: 'A' }).catch(() => 'cut');
  await until(async () => (await waiting(pool)) === 1, 'the change to wait for the gate');
  service.process.kill('SIGINT');
  const pressing = setInterval(() => service.process.kill('SIGINT'), 100);
  assert.equal(await change, 'cut');
  clearInterval(pressing);
  assert.match(service.output(), /SIGINT again: what is under way is cut/);
  await holder.query('commit');
  holder.release();
  assert.equal(await service.exited, 0);
});

test('a Ctrl-C that npm passes on besides stops it in order', async () => {
  const { url, pool } = await cloneDatabase();
  const { group, output, exited } = runByNpm(['serve'], { DATABASE_URL: url, PORT: '0', ADMIN_KEY: adminKey });
  await until(() => output().includes('segmentd is ready'), 'the service to be ready', 60_000);
  process.kill(-group, 'SIGINT');
  assert.equal(await exited, 0, output());
  assert.equal(output().match(/"stopping/g)?.length, 1);
  await until(async () => (await connections(pool)) === 0, 'no connection of the service to be left');
});

test('a log that cannot be written is no reason not to serve, nor not to stop', async () => {
  const { url } = await cloneDatabase();
  const full = await open('/dev/full', 'w');
  const port = await freePort();
  const env = { ...processEnv(), DATABASE_URL: url, ADMIN_KEY: adminKey, PORT: String(port), LOG_SAMPLE: '1' };
  const child = spawn(process.execPath, [main, 'serve'], { env, stdio: ['ignore', full.fd, 'ignore'] });
  const exited = once(child, 'exit');
  after(() => void child.kill('SIGKILL'));
  const isReady = async () => (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status === 200;
  await until(isReady, 'the service to be ready', 30_000);
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
  await full.close();
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
  ['FAILED_KEYS_PER_MINUTE', '-1', 'a whole number from 0 to 1000000'],
  ['KEY_READS_PER_SECOND', '0', 'a whole number from 1 to 1000000'],
  ['TRUST_PROXY', 'true', 'addresses or networks'],
  ['TRUST_PROXY', '0.0.0.0/0', 'addresses or networks'],
  ['TRUST_PROXY', '10.0.0.0/33', 'addresses or networks'],
  ['CORS_ORIGINS', '*', 'origins (https://example.org)'],
  ['CORS_ORIGINS', 'https://example.org/', 'origins (https://example.org)'],
  ['CORS_ORIGINS', 'https://EXAMPLE.org', 'origins (https://example.org)'],
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
  ['REDIS_URL', 'http://:pass-word@host'],
  ['REDIS_URL', 'redis://:pass/word@host'],
] as const) {
  test(`a bad ${name} (${value}) is named, and its value is not printed`, async () => {
    const { output, exited } = runMain(['serve'], { [name]: value }, folder);
    assert.equal(await exited, 1);
    assert.ok(output().includes(name) && !output().includes(value), output());
  });
}

test('of a list the one that is not allowed is named', async () => {
  for (const [name, value, wrong] of [
    ['TRUST_PROXY', 'loopback, 10.0.0.0/8, fd00::/8, ::1, intranet', 'intranet'],
    ['CORS_ORIGINS', 'https://a.example.org, http://localhost:3000, b.example.org', 'b.example.org'],
  ] as const) {
    const { output, exited } = runMain(['serve'], { [name]: value }, folder);
    assert.equal(await exited, 1);
    assert.match(output(), new RegExp(`^segmentd: ${name}: "${wrong}" is not allowed; it must be [^\n]*\n$`));
  }
});

test('TLS_CERT and TLS_KEY stop it with one line where they are not a certificate and its key', async () => {
  const [ours, other] = [selfSigned(), selfSigned()];
  const [cert, key, wrong] = [join(folder, 'cert.pem'), join(folder, 'key.pem'), join(folder, 'other.pem')];
  for (const [path, content] of [
    [cert, ours.cert],
    [key, ours.key],
    [wrong, other.key],
  ] as const)
    await writeFile(path, content);
  for (const [env, line] of [
    [{ TLS_CERT: cert }, /^segmentd: TLS_KEY: it is not set, but TLS_CERT is; https needs both\.\n$/],
    [{ TLS_KEY: key }, /^segmentd: TLS_CERT: it is not set, but TLS_KEY is; https needs both\.\n$/],
    [{ TLS_CERT: `${cert}.none`, TLS_KEY: key }, /^segmentd: TLS_CERT: the file cannot be read \(ENOENT[^\n]*\n$/],
    [{ TLS_CERT: cert, TLS_KEY: wrong }, /^segmentd: TLS_CERT and TLS_KEY: they are no certificate and its private key[^\n]*\n$/],
    [{ TLS_CERT: key, TLS_KEY: key }, /^segmentd: TLS_CERT and TLS_KEY: they are no certificate and its private key[^\n]*\n$/],
  ] as const) {
    const { output, exited } = runMain(['serve'], env, folder);
    assert.equal(await exited, 1);
    assert.match(output(), line);
  }
});

test('TLS_CERT and TLS_KEY make it speak https', async () => {
  const { cert, key } = selfSigned();
  const [TLS_CERT, TLS_KEY] = [join(folder, 'our-cert.pem'), join(folder, 'our-key.pem')];
  await writeFile(TLS_CERT, cert);
  await writeFile(TLS_KEY, key);
  const { url } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url, TLS_CERT, TLS_KEY });
  assert.match(service.url, /^https:/);
  const { port } = new URL(service.url);
  const sent = request({ host: '127.0.0.1', port, path: '/v1/key', ca: cert, headers: { authorization: `Bearer ${adminKey}` } });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  assert.deepEqual(JSON.parse((await answer.toArray()).join('')), { name: 'admin', scope: 'admin' });
  service.process.kill('SIGTERM');
  assert.equal(await service.exited, 0);
});

test('limits, proxies and origins are taken from the environment', async () => {
  const { url } = await cloneDatabase();
  const service = await startService({
    DATABASE_URL: url,
    FAILED_KEYS_PER_MINUTE: '1',
    KEY_READS_PER_SECOND: '1',
    KEY_WRITES_PER_SECOND: '1',
    TRUST_PROXY: 'loopback',
    CORS_ORIGINS: 'https://a.example.org, https://b.example.org',
  });
  const ask = (key: string, from: string, method = 'GET') =>
    fetch(`${service.url}/v1/segments`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'x-forwarded-for': from, origin: 'https://b.example.org' },
    });
  assert.equal((await ask('wrong', '192.0.2.1')).status, 401);
  const throttled = await ask(adminKey, '192.0.2.1');
  assert.deepEqual([throttled.status, throttled.headers.get('access-control-allow-origin')], [429, 'https://b.example.org']);
  for (const method of ['GET', 'POST']) {
    const limited = await Promise.all(Array.from({ length: 20 }, () => ask(adminKey, '192.0.2.2', method)));
    assert.ok(
      limited.some(({ status }) => status === 429),
      method,
    );
  }
});

test('HOST=localhost is one address, with all that is promised of it', async () => {
  const { url } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url, HOST: 'localhost' });
  assert.equal(new URL(service.url).hostname, '127.0.0.1');
  await assert.rejects(fetch(`http://[::1]:${new URL(service.url).port}/livez`));
  service.process.kill('SIGTERM');
  assert.equal(await service.exited, 0);
});

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

test('a database that goes away in the middle of a start is waited for too, and the first key is told once', async () => {
  const { url, pool } = await cloneDatabase();
  const holders = [];
  for (const table of ['secrets', 'api_keys']) {
    const holder = await pool.connect();
    await holder.query(`begin; lock table ${table} in access exclusive mode`);
    holders.push(holder);
  }
  const { output } = runMain(['serve'], { PORT: '0', DATABASE_URL: url });
  for (const [i, holder] of holders.entries()) {
    await until(async () => (await waiting(pool)) === 1, 'the start to wait for the table', 60_000);
    await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
    await until(() => output().split('waiting for the database').length > i + 1, 'it to wait for the database');
    await holder.query('commit');
    holder.release();
  }
  await until(() => output().includes('segmentd is ready on'), 'the service to be ready', 60_000);
  const [, key, address] = /^ {2}(sgd_\S+)$[^]*curl -s (http:\S+)\/v1/m.exec(output())!;
  assert.equal(output().split('here is the first key').length, 2);
  assert.equal((await fetch(`${address}/v1/segments`, { headers: { authorization: `Bearer ${key}` } })).status, 200);
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
    /--scope must be one of evaluate, read, write, admin; got root/,
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
