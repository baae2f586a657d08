import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomSource } from '../model/random-history.ts';
import { startApp } from '../support/app.ts';
import { type Acknowledged, brokenAcknowledgements } from './check.ts';
import { hurt, type Scenario } from './scenario.ts';

// RACE_SEED: to run one again. RACE_TIMES: to run each so many times.
const times = Number(process.env.RACE_TIMES ?? 1);
const seed = Number(process.env.RACE_SEED ?? Date.now() % 1_000_000);

for (let i = 0; i < times; i++) {
  test(`nothing is lost or wrong while writers of two processes race with changes of segments (RACE_SEED=${seed + i})`, async () => {
    assert.deepEqual(await hurt({ seed: seed + i }), []);
  });

  test(`nor while two processes import files of the same users into the same segments (RACE_SEED=${seed + i})`, async () => {
    assert.deepEqual(await hurt({ seed: seed + i, withImports: true }), []);
  });

  test(`fifty PATCHes on one user give the result of a serial order (RACE_SEED=${seed + i})`, () => fiftyOnOne(seed + i));
}

/** Each is a fault that was thought of once; the same scenario must find it. A sleep widens what is a matter of luck. */
const faults: Record<string, NonNullable<Scenario['fault']>> = {
  'the revision is not compared': { functionName: 'apply_changes', from: 'and u.revision = w.revision and', to: 'and' },
  'writers take no gate': {
    functionName: 'apply_changes',
    from: 'lock table gate in row share mode;',
    to: 'perform pg_sleep(0);',
  },
  'settle answers the clock': {
    functionName: 'settle',
    from: 's := (s / 1000 - 1) * 1000;',
    to: 's := (extract(epoch from t) * 1000000)::bigint;',
  },
  'a decision is applied after its time': {
    functionName: 'apply_changes',
    from: 'and w.good_until > m returning',
    to: 'returning',
  },
};

for (const [what, fault] of Object.entries(faults)) {
  test(`the race finds out when ${what}`, async () => {
    for (let i = 0; i < 20; i++) {
      // A fault may also show as an answer that is no answer, so a failure of the scenario counts as found.
      const found = await hurt({ seed: seed + i, fault }).catch((error: unknown) => [String(error)]);
      if (found.length > 0) return;
    }
    assert.fail('twenty races saw nothing');
  });
}

async function fiftyOnOne(seed: number) {
  const random = randomSource(seed);
  const first = await startApp();
  const { call } = first;
  const other = await first.another();
  const slugs = ['A', 'B', 'C', 'D', 'E'];
  for (const slug of slugs) await call('POST', '/v1/segments', { slug });
  const sent = Array.from({ length: 50 }, (_, i) => {
    const named = slugs.filter(() => random.chance(0.6));
    const add = named.filter(() => random.chance(0.5));
    const body = { add, remove: named.filter((slug) => !add.includes(slug)) };
    return named.length === 0
      ? undefined
      : { named, body, answer: (i % 2 ? other : call)('PATCH', '/v1/users/1000/segments', body) };
  }).filter((one) => one !== undefined);

  const all = await Promise.all(sent.map(async ({ answer, ...rest }) => ({ ...rest, answer: await answer })));
  assert.deepEqual(
    all.filter(({ answer }) => answer.status !== 200),
    [],
  );
  const acknowledged = all.map(({ named, body, answer }) => ({
    userId: '1000',
    named,
    body,
    answer: answer.body as Acknowledged['answer'],
    answeredAt: Date.now(),
  }));
  assert.deepEqual(await brokenAcknowledgements(first, acknowledged), []);

  // In the order of their revisions, each does to the state before it what it was asked to do.
  const state = new Set<string>();
  const byRevision = acknowledged.sort(
    (a, b) =>
      Number(a.answer.revision) - Number(b.answer.revision) ||
      b.answer.added.length + b.answer.removed.length - a.answer.added.length - a.answer.removed.length,
  );
  for (const { body, answer } of byRevision) {
    assert.deepEqual(
      answer.added,
      body.add.filter((slug) => !state.has(slug)),
    );
    assert.deepEqual(
      answer.removed,
      body.remove.filter((slug) => state.has(slug)),
    );
    for (const slug of body.add) state.add(slug);
    for (const slug of body.remove) state.delete(slug);
    assert.deepEqual(answer.segments ?? [], [...state].sort());
  }
}
