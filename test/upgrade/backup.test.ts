import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openDatabase } from '../../src/db/database.ts';
import { age } from '../support/aging.ts';
import { adminKey, runMain, type Service, startService, until } from '../support/service.ts';
import { installed, makeFolder, runInstalled, startInstalled } from './installed-postgres.ts';

const skip = installed === undefined && 'no PostgreSQL with pg_dump is installed (apt-get install postgresql)';

test(
  'a dump of a live database, restored on another server: the past is told as before, and everything goes on',
  { skip },
  async () => {
    const bin = installed!;
    const [first, second] = [await startInstalled(bin), await startInstalled(bin)];
    const dump = join(await makeFolder(), 'segmentd.dump');

    const before = await startService({ DATABASE_URL: first.url });
    await populate(before, first.connection);
    const running = { is: true };
    let written = 0;
    const writing = keepWriting(before, running, () => written++);
    await until(() => written > 20, 'writes before the dump');
    const told = await tell(before);
    await leaveAnImport(first.connection);
    await runInstalled(bin, 'pg_dump', ['--format=custom', `--file=${dump}`, first.url]);
    running.is = false;
    const last = await writing;

    await runInstalled(bin, 'pg_restore', ['--exit-on-error', '--no-owner', `--dbname=${second.url}`, dump]);
    const restored = openDatabase({ connection: second.connection, poolSize: 1 });
    after(() => restored.close());
    const { rows } = await restored.pool.query<{ settled: number }>('select last_value as settled from settled');
    assert.ok(rows[0]!.settled > told.settledAt * 1000, `${rows[0]!.settled}: the register of what is settled came along`);
    assert.deepEqual(await checked(second.url), [0, '']);

    const service = await startService({ DATABASE_URL: second.url });
    assert.deepEqual(await tell(service, told.moments), told);
    const { status, body } = await service.send('PATCH', '/v1/users/u2/segments', { add: ['B'] });
    const { revision, added } = body as { revision: string; added: string[] };
    assert.deepEqual([status, added], [200, ['B']]);
    assert.ok(Number(revision) > Number(last), 'revisions go on, also past those that the dump has not');
    assert.deepEqual(await service.send('POST', '/v1/segments', { slug: 'new' }).then((answer) => answer.status), 201);
    await until(async () => segmentsOf(await service.send('GET', '/v1/users/u2/segments')).includes('B'), 'memory to follow');

    // The import that was under way is taken up and ends.
    await until(
      async () => {
        const { body: imports } = await service.send('GET', '/v1/imports');
        return (imports as { imports: { state: string }[] }).imports.every(({ state }) => state === 'done');
      },
      'the import to end',
      30_000,
    );
    assert.ok(segmentsOf(await service.send('GET', '/v1/users/imported-1/segments?last_revision=true')).includes('B'));
    assert.deepEqual(await checked(second.url), [0, '']);
  },
);

const segmentsOf = ({ body }: { body: unknown }) => (body as { segments: string[] | null }).segments ?? [];

type Connection = Awaited<ReturnType<typeof startInstalled>>['connection'];

/** The past and plans, a percentage, a group, a segment that is gone. */
async function populate(service: Service, connection: Connection) {
  const does = async (method: string, path: string, body?: object) => {
    const { status, body: answer } = await service.send(method, path, body);
    assert.ok(status < 300, JSON.stringify(answer));
  };
  for (const body of [
    { slug: 'A' },
    { slug: 'B', percent: 50 },
    { slug: 'G', percent: 10, exclusive_group: 'group' },
    { slug: 'gone' },
  ])
    await does('POST', '/v1/segments', body);
  await does('PATCH', '/v1/users/u1/segments', { add: ['A', 'gone'] });
  await does('PATCH', '/v1/users/u1/segments', { remove: ['A'] });
  await does('PATCH', '/v1/users/u2/segments', { add: ['A'], ttl_seconds: 3_600 });
  const database = openDatabase({ connection, poolSize: 1 });
  await age(database, 40 * 86_400); // into an earlier month of history
  await does('PATCH', '/v1/users/u1/segments', { add: ['A'] });
  await does('PATCH', '/v1/users/u1/segments', { add: ['A'], starts_at: '2035-01-01T00:00:00Z', ttl_seconds: 60 });
  await does('PATCH', '/v1/users/u2/segments', { remove: ['B'] });
  await does('DELETE', '/v1/segments/gone');
  await database.pool.query('delete from changes'); // which was not aged
  await database.close();
}

async function leaveAnImport(connection: Connection) {
  const database = openDatabase({ connection, poolSize: 1 });
  await database.pool.query(importText);
  await database.close();
}

/** As a process left it that was killed a moment ago: nobody takes it up before its lease is over. */
const importText = `do $$ declare id uuid := new_import_id(); begin
  insert into imports (import_id, segment_id, operation, ends_at, replace_in_group, created_by, created_at, state, received, owner, lease_until)
    select id, segment_id, 'add', 'infinity', false, 'admin', date_trunc('milliseconds', clock_timestamp()), 'running', 1, gen_random_uuid(),
      clock_timestamp() + interval '15 seconds' from segments where slug = 'B';
  execute format('create table %I (line bigint not null, user_id text collate "C" not null)', 'import_rows_' || replace(id::text, '-', ''));
  execute format('insert into %I values (1, ''imported-1'')', 'import_rows_' || replace(id::text, '-', ''));
end $$`;

/** Changes one user until it is told to stop; the revision of the last change. */
async function keepWriting(service: Service, running: { is: boolean }, onWritten: () => void): Promise<string> {
  for (let i = 0; ; i++) {
    const { status, body } = await service.send('PATCH', '/v1/users/busy/segments', i % 2 ? { remove: ['A'] } : { add: ['A'] });
    assert.equal(status, 200);
    onWritten();
    if (!running.is) return (body as { revision: string }).revision;
  }
}

interface Told {
  moments: string[];
  settledAt: number;
  answers: unknown[];
}

/** What is said of the past: where users were, their history, and why. */
async function tell(service: Service, moments?: string[]): Promise<Told> {
  const now = Date.now();
  const asked =
    moments ?? [now - 41 * 86_400_000, now - 40 * 86_400_000 + 60_000, now - 1_000].map((at) => new Date(at).toISOString());
  const to = asked.at(-1)!;
  const answers: unknown[] = [];
  const paths = ['u1', 'u2', 'imported-1'].flatMap((user) => [
    ...asked.flatMap((at) => [`/v1/users/${user}/segments?at=${at}`, `/v1/users/${user}/segments/A?at=${at}`]),
    `/v1/users/${user}/history?from=2020-01-01T00:00:00Z&to=${to}`,
  ]);
  for (const path of paths) {
    const { status, body } = await service.send('GET', path);
    const { revision, request_id: _, ...answer } = body as Record<string, unknown>;
    answers.push([path, status, answer]);
    assert.ok(status === 200 || status === 404, `${path}: ${status}, ${String(revision)}`);
  }
  return { moments: asked, settledAt: Date.parse(to), answers };
}

/** The exit code of a check, and the violations. */
async function checked(url: string): Promise<[number | string, string]> {
  const { exited, output } = runMain(['check'], { DATABASE_URL: url, ADMIN_KEY: adminKey });
  const code = await exited;
  return [code, code === 0 ? '' : output()];
}
