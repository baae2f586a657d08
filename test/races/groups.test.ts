import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsStore } from '../../src/reading/facts.store.ts';
import { definitionsStore } from '../../src/segments/definitions.store.ts';
import { randomSource } from '../model/random-history.ts';
import { type Call, startApp, type TestApp } from '../support/app.ts';
import { violationsOf } from './check.ts';

const seed = Number(process.env.RACE_SEED ?? Date.now() % 1_000_000);

/** Two processes on one database, with these segments in one group. */
async function twoApps(slugs: readonly string[], percent = 0): Promise<{ first: TestApp; calls: [Call, Call] }> {
  const first = await startApp();
  for (const slug of slugs) {
    const { status, text } = await first.call('POST', '/v1/segments', { slug, percent, exclusive_group: 'G' });
    assert.equal(status, 201, text);
  }
  return { first, calls: [first.call, await first.another()] };
}

/** Whatever is wrong with what is recorded of these users: every moment at which one was, is or will be in two of the group. */
async function shared({ database }: TestApp, userIds: readonly string[]): Promise<string[]> {
  const facts = factsStore(database, definitionsStore(database));
  const all = await Promise.all(userIds.map((userId) => facts.since(userId, -Infinity)));
  return all.flatMap((read) => violationsOf(read.facts));
}

/** Buckets that two segments of a group have at the same time, ever or to come. */
async function overlaps({ database }: TestApp): Promise<unknown[]> {
  const { rows } = await database.pool.query(
    `select a.from_at, a.ranges as of_one, b.ranges as of_another
       from rollouts a join segments s on s.segment_id = a.segment_id
       join segments t on t.exclusive_group = s.exclusive_group and t.segment_id > s.segment_id
       join rollouts b on b.segment_id = t.segment_id
      where a.from_at < b.to_at and b.from_at < a.to_at and a.ranges && b.ranges`,
  );
  return rows as unknown[];
}

test('of racers who put one user into the segments of a group, each round exactly one wins', async () => {
  const slugs = Array.from({ length: 8 }, (_, i) => `S${i}`);
  const { first, calls } = await twoApps(slugs);
  const users = Array.from({ length: 30 }, (_, i) => `u${i}`);
  for (const [round, user] of users.entries()) {
    // Who is first in line differs from round to round, and some users are known already.
    if (round % 3 === 0) await first.call('PATCH', `/v1/users/${user}/segments`, { add: ['S0'] });
    if (round % 3 === 0) await first.call('PATCH', `/v1/users/${user}/segments`, { remove: ['S0'] });
    const answers = await Promise.all(
      slugs.map(async (slug, i) => {
        const answer = await calls[(i + round) % 2]!('PATCH', `/v1/users/${user}/segments`, { add: [slug] });
        return { slug, ...answer };
      }),
    );
    const won = answers.filter(({ status }) => status === 200);
    assert.deepEqual(won.length, 1, `${won.map(({ slug }) => slug).join()} won`);
    const [{ slug: winner, body }] = won as [(typeof won)[0]];
    assert.deepEqual(body.segments, [winner]);
    for (const { slug, status, body: problem } of answers.filter((answer) => answer.slug !== winner))
      assert.deepEqual([status, problem.code, problem.conflicts], [409, 'group_conflict', [winner]], slug);
    for (const call of calls)
      assert.deepEqual((await call('GET', `/v1/users/${user}/segments?last_revision=true`)).body.segments, [winner]);
    const { events } = (await first.call('GET', `/v1/users/${user}/history?from=${body.as_of}&to=2999-01-01T00:00:00Z`)).body;
    assert.deepEqual(
      events.map((event: { operation: string; segment: string }) => [event.operation, event.segment]),
      [['add', winner]],
    );
  }
  assert.deepEqual(await shared(first, users), []);
});

test('of raises that together do not fit, each round exactly one wins, and no bucket is ever in two', async () => {
  const slugs = ['S0', 'S1', 'S2', 'S3'];
  const { first, calls } = await twoApps(slugs, 22);
  for (let round = 0; round < 8; round++) {
    const later = round % 2 ? { effective_at: new Date(Date.now() + 3_600_000).toISOString() } : {};
    const answers = await Promise.all(
      slugs.map((slug, i) => calls[(i + round) % 2]!('PATCH', `/v1/segments/${slug}`, { percent: 30, ...later })),
    );
    const won = slugs.filter((_, i) => answers[i]!.status === 200);
    assert.equal(won.length, 1, `${won.join()} won`);
    const holders = slugs.map((slug) => ({ slug, percent: slug === won[0] ? 30 : 22 }));
    for (const { status, body } of answers.filter((answer) => answer.status !== 200))
      assert.deepEqual([status, body.code, body.free, body.holders], [409, 'group_full', 4, holders]);
    assert.deepEqual(await overlaps(first), []);
    const { effective_at } = later;
    const back = effective_at
      ? await first.call('DELETE', `/v1/segments/${won[0]}/scheduled/${Date.parse(effective_at)}`)
      : await first.call('PATCH', `/v1/segments/${won[0]}`, { percent: 22 });
    assert.ok(back.status < 300, back.text);
  }
});

test('of creations, raises and plans that want the last buckets, what was answered stands and nothing overlaps', async () => {
  const { first, calls } = await twoApps(['S0', 'S1', 'S2'], 30);
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const answers = await Promise.all([
    ...['N0', 'N1', 'N2'].map((slug, i) => calls[i % 2]!('POST', '/v1/segments', { slug, percent: 4, exclusive_group: 'G' })),
    ...['S0', 'S1'].map((slug, i) => calls[i % 2]!('PATCH', `/v1/segments/${slug}`, { percent: 34 })),
    ...['S2', 'S1'].map((slug, i) => calls[i % 2]!('PATCH', `/v1/segments/${slug}`, { percent: 34, effective_at: at })),
  ]);
  for (const { status, text } of answers) assert.ok([200, 201, 409].includes(status), text);
  const { segments } = (await first.call('GET', '/v1/segments?exclusive_group=G')).body;
  const most = (segments as { percent: number; scheduled: { percent: number }[] }[]).reduce(
    (sum, { percent, scheduled }) => sum + Math.max(percent, ...scheduled.map((one) => one.percent)),
    0,
  );
  assert.ok(most > 96 && most <= 100, `${most} % are held: what was free went to somebody, and once`);
  assert.equal(answers.filter(({ status }) => status < 300).length >= 2, true);
  assert.deepEqual(await overlaps(first), []);
});

test(`nobody is ever in two of a group, whatever races (RACE_SEED=${seed})`, async () => {
  const random = randomSource(seed);
  const slugs = ['A', 'B', 'C', 'D'];
  const { first, calls } = await twoApps(slugs);
  const users = ['u1', 'u2', 'u3', 'u4'];
  const soon = (ms: number) => new Date(Date.now() + ms).toISOString();
  /** Mostly some milliseconds ahead; at times further, so that a slow machine gets there too. */
  const near = () => 3 + random.below(random.one([20, 20, 150]));
  const unexpected: string[] = [];
  const won = new Map<string, number>();
  let isRunning = true;

  const write = async (call: Call) => {
    for (let i = 0; i < 60; i++) {
      const [slug, other] = [random.one(slugs), random.one(slugs)];
      const kind = random.one(['add', 'brief', 'switch', 'replace', 'plan', 'plan', 'remove']);
      const body = {
        add: { add: [slug] },
        brief: { add: [slug], expires_at: soon(near()) },
        switch: slug === other ? { remove: [slug] } : { add: [slug], remove: [other] },
        replace: { add: [slug], replace_in_group: true, expires_at: soon(near()) },
        plan: { add: [slug], starts_at: soon(near()), expires_at: soon(160 + random.below(20)) },
        remove: { remove: [slug] },
      }[kind]!;
      const { status, text } = await call('PATCH', `/v1/users/${random.one(users)}/segments`, body);
      if (status === 200) won.set(kind, (won.get(kind) ?? 0) + 1);
      else if (status !== 409 && !(status === 400 && /must lie/.test(text))) unexpected.push(`PATCH: ${status} ${text}`);
    }
  };
  const rate = async (goesOn: () => boolean) => {
    while (goesOn()) {
      const effective_at = random.chance(0.5) ? { effective_at: soon(5 + random.below(20)) } : {};
      const body = { percent: random.one([0, 20, 50, 100]), ...effective_at };
      const { status, text } = await random.one(calls)('PATCH', `/v1/segments/${random.one(slugs)}`, body);
      if (status >= 300 && status !== 409 && !(status === 400 && /must lie/.test(text)))
        unexpected.push(`PATCH: ${status} ${text}`);
    }
  };
  const writers = Array.from({ length: 6 }, (_, i) => write(calls[i % 2]!));
  const rating = rate(() => isRunning);
  await Promise.allSettled(writers);
  isRunning = false;
  await Promise.allSettled([...writers, rating]);
  await Promise.all([...writers, rating]);
  assert.deepEqual(unexpected, []);
  assert.ok(won.size >= 4, `most kinds won at times: ${[...won.keys()].join()}`);
  assert.deepEqual(await overlaps(first), []);
  assert.deepEqual(await shared(first, [...users, 'nobody']), []);
});
