import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase } from '../support/database.ts';
import { runMain, startService } from '../support/service.ts';

const { url, pool } = await cloneDatabase();

const run = async (args: string[], env: Record<string, string> = {}) => {
  const command = runMain(['check', ...args], { DATABASE_URL: url, ...env });
  return { code: await command.exited, output: command.output() };
};

const summary = /^users=2 stays=2 segments=1 imports=0 violations=(\d) warnings=(\d) seconds=[\d.]+$/m;

test('beside a running service: 0 and a summary where all is well, 1 and a line for each where something is violated', async () => {
  const service = await startService({ DATABASE_URL: url });
  await service.send('POST', '/v1/segments', { slug: 'A' });
  for (const user of ['u1', 'u2']) await service.send('PATCH', `/v1/users/${user}/segments`, { add: ['A'] });
  const sound = await run([]);
  assert.equal(sound.code, 0, sound.output);
  assert.deepEqual(summary.exec(sound.output)?.slice(1), ['0', '0']);

  await pool.query(`update memberships set begun_cause = 'magic' where user_id = 'u1'`);
  await pool.query(`create table import_rows_${'0'.repeat(32)} ()`);
  const broken = await run([]);
  assert.equal(broken.code, 1, broken.output);
  assert.deepEqual(summary.exec(broken.output)?.slice(1), ['1', '1']);
  assert.match(
    broken.output,
    /^stay_cause_unknown: a stay began or ended by what is no cause: user_id=u1 segment_id=1 segment=A /m,
  );
  assert.match(broken.output, /^warning rows_left: .*: table=import_rows_0{32}$/m);

  const told = await run(['--json']);
  const lines = told.output
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{')) // how far it is goes to the standard error
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(told.code, 1);
  assert.deepEqual(
    lines.map(({ rule, severity, user_id, violations }) => ({ rule, severity, user_id, violations })),
    [
      { rule: 'stay_cause_unknown', severity: 'violation', user_id: 'u1', violations: undefined },
      { rule: 'rows_left', severity: 'warning', user_id: undefined, violations: undefined },
      { rule: undefined, severity: undefined, user_id: undefined, violations: 1 },
    ],
  );

  await pool.query(`update memberships set begun_cause = 'request'`);
  const warned = await run([]);
  assert.equal(warned.code, 0, 'a warning is no violation');
});

test('2 and one line where it could not check', async () => {
  for (const [args, env, line] of [
    [['--user'], {}, /Unknown option '--user'/],
    [['all'], {}, /check takes no "all"/],
    [[], { DATABASE_URL: 'postgres://segmentd@127.0.0.1:1/none', DATABASE_WAIT_SECONDS: '0' }, /did not answer within 0 s/],
    [
      [],
      { DATABASE_URL: (await cloneDatabase({ empty: true })).url },
      /has schema version 0; this release needs version \d+\. Run segmentd migrate/,
    ],
  ] as const) {
    const { code, output } = await run([...args], env);
    assert.equal(code, 2, output);
    assert.match(output, line);
    assert.equal(output.trim().split('\n').length, 1, output);
  }
});
