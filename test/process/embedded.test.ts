import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runByNpm, runMain, startService, until } from '../support/service.ts';

// Without DATABASE_URL, from another working folder than the clone's.
const folder = await mkdtemp(join(tmpdir(), 'segmentd-embedded-'));
await chmod(folder, 0o755); // for root: so that the account of the server can enter it, and nothing is left elsewhere
after(() => rm(folder, { recursive: true, force: true }));

test('it runs on a PostgreSQL of its own: data outlives a SIGKILL and a stop, one serve a folder, other commands join', async () => {
  const first = await startService({}, folder);
  assert.equal((await first.send('POST', '/v1/segments', { slug: 'A' })).status, 201);
  assert.equal((await first.send('PATCH', '/v1/users/1000/segments', { add: ['A'] })).status, 200);

  const another = runMain(['serve'], { PORT: '0', LOG_LEVEL: 'fatal' }, folder);
  assert.equal(await another.exited, 1);
  assert.match(
    another.output(),
    /^segmentd: Another `segmentd serve` runs on .*: stop it, or set DATA_DIR to another folder\.\n$/,
  );

  const listed = runMain(['keys', 'list'], {}, folder);
  assert.equal(await listed.exited, 0);
  assert.match(listed.output(), /admin +admin/);

  first.process.kill('SIGKILL');
  await first.exited;
  const second = await startService({}, folder);
  assert.deepEqual(((await second.send('GET', '/v1/users/1000/segments')).body as { segments: string[] }).segments, ['A']);
  second.process.kill('SIGTERM');
  assert.equal(await second.exited, 0);

  const third = await startService({ DATA_DIR: join(folder, 'data') });
  assert.deepEqual(((await third.send('GET', '/v1/users/1000/segments')).body as { segments: string[] }).segments, ['A']);
  third.process.kill('SIGTERM');
  assert.equal(await third.exited, 0);
});

/** How many PostgreSQL servers run on data of this name, which may lie elsewhere than asked for. */
const servers = (name: string) => {
  const isServer = new RegExp(`/postgres\\0-D\\0[^\\0]*/${name}`);
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && isServer.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
    } catch {
      return false; // it has ended meanwhile
    }
  }).length;
};

test('a Ctrl-C in the middle of its start stops the PostgreSQL that it was starting', async () => {
  const name = `broken-off-${process.pid}`;
  const { group, output, exited } = runByNpm(['serve'], { DATA_DIR: join(folder, name), PORT: '0' });
  await until(() => servers(name) > 0, 'its PostgreSQL to be started', 60_000);
  process.kill(-group, 'SIGINT');
  assert.equal(await exited, 0, output());
  assert.equal(servers(name), 0);
});

test('a Ctrl-C ends a command that only joined, with the PostgreSQL that it started for itself', async () => {
  const name = `joined-${process.pid}`;
  const { process: child, exited } = runMain(['check'], { DATA_DIR: join(folder, name) }, folder);
  await until(() => servers(name) > 0, 'its PostgreSQL to be started', 60_000);
  child.kill('SIGINT');
  assert.equal(await exited, 130);
  assert.equal(servers(name), 0);
});
