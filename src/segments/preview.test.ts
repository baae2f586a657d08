import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { until } from '../../test/support/service.ts';

const { call, as, database } = await startApp();

const users = Array.from({ length: 600 }, (_, i) => `user-${i}`);
for (const [slug, more] of [
  ['A', { percent: 20, exclusive_group: 'G' }],
  ['B', { percent: 30, exclusive_group: 'G' }],
  ['ALONE', { percent: 10 }],
  ['OTHER', {}],
] as const)
  assert.equal((await call('POST', '/v1/segments', { slug, ...more })).status, 201);

// Known users: by hand in one of the group, kept out, in for a time, planned, or told only of another segment.
const soon = new Date(Date.now() + 3_600_000).toISOString();
await Promise.all(
  users.map(async (user, i) => {
    const wishes = [
      { add: ['OTHER'] },
      { add: ['OTHER'] },
      { add: ['B'], replace_in_group: true },
      { remove: ['A', 'ALONE'] },
      { add: ['ALONE'] },
      { add: ['A'], starts_at: soon },
    ];
    const { status } = await call('PATCH', `/v1/users/${user}/segments`, wishes[i % wishes.length]!);
    assert.equal(status, 200);
  }),
);

/** Which known users are in the segment now. */
async function membersOf(slug: string): Promise<string[]> {
  const { body } = await call('POST', '/v1/lookup', { user_ids: users, last_revision: true });
  return (body.users as { user_id: string; segments: string[] | null }[])
    .filter(({ segments }) => segments?.includes(slug))
    .map(({ user_id }) => user_id)
    .sort();
}

const written = async () =>
  (
    await database.pool
      .query(`select d.version, d.revision, (select count(*) from changes) as changes, (select max(revision) from users) as newest,
    (select count(*) from rollouts) as rollouts from definitions d`)
  ).rows[0] as unknown;

for (const [slug, percent] of [
  ['A', 45],
  ['A', 20.5],
  ['A', 3],
  ['ALONE', 60],
  ['ALONE', 0],
  ['B', 55],
] as const) {
  test(`what is said of ${slug} at ${percent} percent changes nothing, and is what then happens`, async () => {
    const before = await membersOf(slug);
    const standing = await written();
    const { body: preview, status, headers } = await call('PATCH', `/v1/segments/${slug}?dry_run=true`, { percent });
    assert.deepEqual([status, headers.revision], [200, undefined]);
    assert.deepEqual(await written(), standing);
    assert.deepEqual(await membersOf(slug), before);

    const from = (await call('GET', `/v1/segments/${slug}`)).body.percent as number;
    assert.equal((await call('PATCH', `/v1/segments/${slug}`, { percent })).status, 200);
    const after = await membersOf(slug);
    const enter = after.filter((user) => !before.includes(user));
    const leave = before.filter((user) => !after.includes(user));
    assert.ok(enter.length + leave.length > 0);
    const moved = Math.round(Math.abs(percent - from) * 100);
    assert.deepEqual(preview, {
      slug,
      percent: { from, to: percent },
      effective_at: null,
      buckets: { gained: percent > from ? moved : 0, lost: percent < from ? moved : 0 },
      enter: { count: enter.length, user_ids: enter.slice(0, 100) },
      leave: { count: leave.length, user_ids: leave.slice(0, 100) },
      as_of: preview.as_of,
    });
  });
}

test('a preview of a moment to come is judged by what stands and is planned then', async () => {
  await call('POST', '/v1/segments', { slug: 'LATER', percent: 10 });
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const [first, second] = [at(1_000_000), at(2_000_000)];
  await call('PATCH', '/v1/segments/LATER', { percent: 40, effective_at: first });
  const preview = async (body: object) => (await call('PATCH', '/v1/segments/LATER?dry_run=true', body)).body;
  const later = await preview({ percent: 50, effective_at: second });
  assert.deepEqual([later.percent, later.effective_at, later.buckets], [{ from: 40, to: 50 }, second, { gained: 1000, lost: 0 }]);
  const replacing = await preview({ percent: 50, effective_at: first });
  assert.deepEqual(replacing.percent, { from: 10, to: 50 });

  // Who is planned to be in by hand then neither enters nor leaves by the percentage.
  const planned = (await preview({ percent: 100, effective_at: second })).enter.count as number;
  await Promise.all(
    users.slice(0, 50).map((user) => call('PATCH', `/v1/users/${user}/segments`, { add: ['LATER'], starts_at: first })),
  );
  const fewer = (await preview({ percent: 100, effective_at: second })).enter.count as number;
  assert.ok(fewer < planned && fewer >= planned - 50, `${fewer} of ${planned}`);
});

test('a preview that makes no sense is refused, and one that does not fit', async () => {
  for (const [body, path] of [
    [{ description: 'x' }, 'dry_run'],
    [{ percent: 1, description: 'x' }, 'description'],
    [{ percent: 1, effective_at: '2020-01-01T00:00:00Z' }, 'effective_at'],
    [{ percent: 0.001 }, 'percent'],
  ] as const) {
    const { status, body: problem } = await call('PATCH', '/v1/segments/A?dry_run=true', body);
    assert.deepEqual([status, problem.errors[0].path], [400, path]);
  }
  assert.equal((await call('PATCH', '/v1/segments/NONE?dry_run=true', { percent: 1 })).status, 404);
  const { status, body } = await call('PATCH', '/v1/segments/A?dry_run=true', { percent: 90 });
  assert.deepEqual([status, body.code, body.free], [409, 'group_full', 42]);
  assert.equal((await as('read')('PATCH', '/v1/segments/A?dry_run=true', { percent: 1 })).status, 403);
});

test('previews leave no connection behind', async () => {
  const open = `select count(*)::integer as n from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`;
  await until(async () => (await database.pool.query<{ n: number }>(open)).rows[0]!.n === 0, 'no transaction to be open');
});
