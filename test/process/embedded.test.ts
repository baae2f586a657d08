import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runMain, startService } from '../support/service.ts';

// Without DATABASE_URL, from another working folder than the clone's.
const folder = await mkdtemp(join(tmpdir(), 'segmentd-embedded-'));
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
