import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { newKey } from '../../src/access/key.ts';
import { selfSigned } from '../support/certificate.ts';
import { cloneDatabase } from '../support/database.ts';
import { runMain, startService, until } from '../support/service.ts';

const folder = await mkdtemp(join(tmpdir(), 'segmentd-secrets-'));
after(() => rm(folder, { recursive: true, force: true }));

const isLinux = process.platform === 'linux';
const random = (what: string) => `${what}-${randomBytes(12).toString('hex')}`;

/** The same text as it may be written somewhere: as it is, encoded, or a part that is long enough to tell. */
const spellings = (secret: string) => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('base64url'),
  Buffer.from(secret).toString('hex'),
  secret.slice(0, 16),
  secret.slice(-16),
];

function findLeaks(secrets: Record<string, string>, text: string): string[] {
  return Object.entries(secrets)
    .filter(([, secret]) => spellings(secret).some((spelling) => text.includes(spelling)))
    .map(([what]) => what);
}

/** What anybody on the machine sees of a process and its children: on Linux, where `/proc` tells it. */
async function argumentsOf(pid: number): Promise<string> {
  if (!isLinux) return '';
  const lines: string[] = [];
  for (const name of (await readdir('/proc')).filter((one) => /^\d+$/.test(one))) {
    // A process may end between the two.
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const [, parent] = /\) \S (\d+) /.exec(stat) ?? [];
    if (Number(name) === pid || Number(parent) === pid)
      lines.push(await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => ''), stat);
  }
  return lines.join('\n');
}

test('the search finds a secret however it is written', () => {
  const secrets = { key: newKey() };
  for (const spelling of spellings(secrets.key)) assert.deepEqual(findLeaks(secrets, `{"a":"${spelling}"}`), ['key']);
  assert.deepEqual(findLeaks(secrets, newKey()), []);
});

/** The tests' server trusts whoever comes, so any password will do. */
function withPassword(url: string, password: string): string {
  const changed = url.replace(/^(postgres\w*:\/\/[^:@/]+)(:[^@/]*)?@/, `$1:${password}@`);
  assert.notEqual(changed, url, 'the address of the database names a user');
  return changed;
}

for (const level of ['trace', 'info'] as const) {
  test(`no secret is in logs, errors, figures or process arguments, with LOG_LEVEL=${level}`, async () => {
    const database = await cloneDatabase();
    const password = random('password');
    const address = withPassword(database.url, password);
    const { cert, key } = selfSigned();
    const secrets: Record<string, string> = {
      'database password': password,
      ADMIN_KEY: random('admin'),
      LINK_SECRET: random('link'),
      'wrong key': newKey(),
      'key in the query': newKey(),
      'key by another scheme': newKey(),
    };
    const service = await startService({
      DATABASE_URL: address,
      ADMIN_KEY: secrets.ADMIN_KEY!,
      LINK_SECRET: secrets.LINK_SECRET!,
      LOG_LEVEL: level,
      LOG_SAMPLE: '1',
      SLOW_REQUEST_MS: '1',
    });

    /** All that is answered but for the one answer that shows a new key. */
    const answered: string[] = [];
    const ask = async (
      presented: string | null,
      method: string,
      path: string,
      body?: string,
      headers: Record<string, string> = {},
    ) => {
      const answer = await fetch(service.url + path, {
        method,
        headers: {
          ...(presented === null ? {} : { authorization: presented }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body }),
      });
      const text = await answer.text();
      return { status: answer.status, text, all: `${JSON.stringify([...answer.headers])}\n${text}` };
    };
    const asks = async (...question: Parameters<typeof ask>) => {
      const { all, ...answer } = await ask(...question);
      answered.push(all);
      return answer;
    };
    const admin = `Bearer ${secrets.ADMIN_KEY}`;

    for (const scope of ['read', 'write']) {
      const { status, text } = await ask(admin, 'POST', '/v1/keys', JSON.stringify({ name: `by-http-${scope}`, scope }));
      assert.equal(status, 201);
      secrets[`key made over HTTP, ${scope}`] = (JSON.parse(text) as { key: string }).key;
    }
    const made = runMain(['keys', 'create', '--name', 'by-hand', '--scope', 'write'], {
      DATABASE_URL: address,
      LOG_LEVEL: level,
    });
    const seen = await argumentsOf(made.process.pid!);
    assert.equal(await made.exited, 0);
    secrets['key made on the command line'] = made.output().trim();
    const write = `Bearer ${secrets['key made on the command line']}`;
    const read = `Bearer ${secrets['key made over HTTP, read']}`;

    // What succeeds, by both paths.
    await asks(write, 'POST', '/v1/segments', '{"slug": "A", "percent": 50}');
    await asks(write, 'PATCH', '/v1/users/1/segments', '{"add": ["A"]}');
    for (let i = 0; i < 3; i++) assert.equal((await asks(read, 'GET', '/v1/users/1/segments')).status, 200);
    await asks(admin, 'GET', '/v1/keys');
    await asks(read, 'GET', '/v1/key');
    const link = (JSON.parse((await ask(read, 'GET', '/v1/users/1/report?month=2025-11')).text) as { url: string }).url;
    secrets['signature of a link'] = link.split('.').at(-1)!;
    for (const path of [new URL(link).pathname, `${new URL(link).pathname}x`]) await asks(null, 'GET', path);

    // What is refused.
    await asks(`Bearer ${secrets['wrong key']}`, 'GET', '/v1/segments');
    await asks(`Basic ${secrets['key by another scheme']}`, 'GET', '/v1/segments');
    await asks(null, 'GET', `/v1/segments?key=${secrets['key in the query']}`);
    await asks(write, 'POST', '/v1/keys', '{"name": "x", "scope": "read"}');
    await asks(write, 'POST', '/v1/segments', '{"slug": "A", ');
    await asks(write, 'POST', '/v1/segments', '{"slug": "A"}');
    await asks(admin, 'DELETE', '/v1/keys/by-http-write');
    await asks(`Bearer ${secrets['key made over HTTP, write']}`, 'GET', '/v1/segments');

    // What fails on our side, with the database there and away.
    await database.pool.query('alter table memberships rename to elsewhere');
    assert.equal((await asks(write, 'PATCH', '/v1/users/2/segments', '{"add": ["A"]}')).status, 500);
    await database.pool.query('alter table elsewhere rename to memberships');
    await database.pool.query('alter table api_keys rename to no_keys');
    assert.equal((await asks(`Bearer ${newKey()}`, 'GET', '/v1/segments')).status, 500);
    await database.pool.query('alter table no_keys rename to api_keys');
    await database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );
    await until(async () => (await asks(read, 'GET', '/v1/users/1/segments?last_revision=true')).status === 200, 'it to heal');

    const metrics = await asks(read, 'GET', '/metrics');
    assert.match(metrics.text, /segmentd_http_request_duration_seconds_bucket/);
    const processes = seen + (await argumentsOf(service.process.pid!));
    if (isLinux) assert.match(processes, /main\.ts\0serve/);
    const { rows } = await database.pool.query<{ application_name: string; query: string }>(
      'select application_name, query from pg_stat_activity',
    );

    // What cannot start.
    const printed: string[] = [];
    await writeFile(join(folder, 'cert.pem'), cert);
    await writeFile(join(folder, 'key.pem'), key.subarray(0, -60));
    secrets['private key of the certificate'] = key.toString().split('\n')[1]!;
    for (const env of [
      { DATABASE_URL: `postgres://segmentd:${password}@127.0.0.1:1/none`, DATABASE_WAIT_SECONDS: '0' },
      { DATABASE_URL: address.replace(/\/test_\w+/, '/none'), DATABASE_WAIT_SECONDS: '0' },
      { DATABASE_URL: address.replace('postgres', 'mysql') },
      { DATABASE_URL: address, PORT: new URL(service.url).port },
      {
        DATABASE_URL: address,
        REDIS_URL: `redis://:${password}@127.0.0.1:1`,
        CACHE: 'redis',
        PORT: new URL(service.url).port,
      },
      { TLS_CERT: join(folder, 'cert.pem'), TLS_KEY: join(folder, 'key.pem') },
    ]) {
      const { ADMIN_KEY = '', LINK_SECRET = '' } = secrets;
      const failed = runMain(['serve'], { LOG_LEVEL: level, ADMIN_KEY, LINK_SECRET, ...env }, folder);
      assert.equal(await failed.exited, 1, failed.output());
      printed.push(failed.output());
    }

    service.process.kill('SIGTERM');
    assert.equal(await service.exited, 0);
    assert.match(service.output(), /a slow request|a request, as a sample/);
    assert.match(service.output(), /Something failed on our side/);
    for (const [where, text] of Object.entries({
      log: service.output(),
      answers: answered.join('\n'),
      figures: metrics.text,
      processes,
      database: JSON.stringify(rows),
      'starts that fail': printed.join('\n'),
    }))
      assert.deepEqual(findLeaks(secrets, text), [], where);
  });
}
