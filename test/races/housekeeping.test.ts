import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsStore } from '../../src/reading/facts.store.ts';
import { definitionsStore } from '../../src/segments/definitions.store.ts';
import { momentOf } from '../../src/timeline/revision.ts';
import { leftovers } from '../../src/timeline/leftovers.ts';
import { randomSource } from '../model/random-history.ts';
import { age } from '../support/aging.ts';
import { type Call, startApp, type TestApp } from '../support/app.ts';
import { openAgain } from '../support/database.ts';
import { houseOf } from '../support/housekeeping.ts';
import { holdRead } from '../support/reads.ts';
import { until } from '../support/service.ts';
import { type Acknowledged, brokenAcknowledgements, violationsOf } from './check.ts';
import { hurt } from './scenario.ts';

const seed = Number(process.env.RACE_SEED ?? Date.now() % 1_000_000);
const rounds = Number(process.env.RACE_ROUNDS ?? 120);

/** Two processes keep house: one as often as it can, and the other tries now and then. */
async function keepHouse({ database }: TestApp, isRunning: () => boolean, onRound = () => {}): Promise<void> {
  const only = /^stays/;
  const houses = [houseOf(openAgain(database), { only }), houseOf(openAgain(database), { only })];
  for (let i = 0; isRunning(); i++) {
    await Promise.all(houses.slice(0, i % 10 === 5 ? 2 : 1).map((house) => house.round()));
    onRound();
  }
  for (const house of houses) await house.close();
  assert.deepEqual(
    houses.flatMap(({ failures }) => failures),
    [],
  );
}

test(`nothing is lost or wrong while what is over is moved under the writers (RACE_SEED=${seed})`, async () => {
  assert.deepEqual(await hurt({ seed, meanwhile: keepHouse }), []);
});

test(`a change of users whose ended stays are being moved succeeds, and ends what it ended (RACE_SEED=${seed})`, async () => {
  const first = await startApp();
  const { call, database } = first;
  const calls = [call, await first.another()];
  const random = randomSource(seed);
  const slugs = ['A', 'B', 'C'];
  for (const slug of slugs) await call('POST', '/v1/segments', { slug });
  const users = Array.from({ length: 30 }, (_, i) => `u${i}`);
  const acknowledged: Acknowledged[] = [];
  const unexpected: string[] = [];
  const soon = (ms: number) => new Date(Date.now() + ms).toISOString();

  let [isRunning, kept] = [true, 0];
  /** On a slow machine longer, until there have been rounds enough to meet. */
  const goesOn = (i: number) => i < rounds || (kept < 60 && i < 10 * rounds);

  const write = async (call: Call) => {
    for (let i = 0; goesOn(i); i++) {
      const [userId, named] = [random.one(users), [random.one(slugs)]];
      const body = random.one([
        { add: named },
        { add: named, expires_at: soon(4 + random.below(10)) },
        { add: named, starts_at: soon(4 + random.below(10)) },
        { add: named, starts_at: soon(4 + random.below(5)), expires_at: soon(12 + random.below(10)) },
        { remove: named },
      ]);
      const { status, body: answer, text } = await call('PATCH', `/v1/users/${userId}/segments`, body);
      if (status === 200) acknowledged.push({ userId, named, answer: answer as Acknowledged['answer'], answeredAt: Date.now() });
      else if (!(status === 400 && /must lie/.test(text))) unexpected.push(`${status} ${text}`);
    }
  };
  const keeping = keepHouse(
    first,
    () => isRunning,
    () => kept++,
  );
  const writers = Array.from({ length: 6 }, (_, i) => write(calls[i % 2]!));
  await Promise.allSettled(writers);
  isRunning = false;
  await Promise.all([...writers, keeping]);
  assert.deepEqual(unexpected, []);
  assert.deepEqual(await brokenAcknowledgements(first, acknowledged), []);
  const { rows: changes } = await database.pool.query<{ at: number; user_ids: string[] }>(
    `select at, user_ids from changes where cardinality(user_ids) > 0`,
  );
  const own = new Set(acknowledged.map(({ answer }) => momentOf(Number(answer.revision))));
  const moved = changes.filter(({ at }) => !own.has(at)).flatMap(({ user_ids }) => user_ids).length;
  assert.ok(moved > 20, `${moved} users were moved besides, in ${kept} rounds`);

  const last = Date.now() + 50;
  await until(() => Date.now() > last, 'the last plan to have come and gone');
  await houseOf(database).tidy();
  const facts = factsStore(database, definitionsStore(database));
  for (const userId of users) {
    const { facts: known } = await facts.since(userId, -Infinity);
    assert.deepEqual(violationsOf(known), []);
    assert.deepEqual(leftovers(known, Date.now()), []);
  }
});

for (const [what, body] of [
  ['adds again', { add: ['A'] }],
  ['removes', { add: ['B'], remove: ['A'] }],
] as const) {
  test(`a change that ${what} what is moved between its reading and its writing is decided anew`, async () => {
    const { call, database } = await startApp();
    for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
    await call('PATCH', '/v1/users/u/segments', { add: ['A'], ttl_seconds: 60 });
    await age(database, 120);
    const held = holdRead(database, 'u');
    const changing = call('PATCH', '/v1/users/u/segments', body);
    await held.begun;
    await houseOf(openAgain(database)).tidy();
    const moved = 'select ended_cause, ended_by from past_memberships';
    assert.deepEqual((await database.pool.query(moved)).rows, [{ ended_cause: 'ttl', ended_by: 'writer' }]);
    held.release();
    const { status, body: answer, text } = await changing;
    assert.deepEqual([status, answer.segments], [200, [...body.add]], text);
    assert.match((await call('GET', '/metrics')).text, /^segmentd_stale_decisions_total 1$/m);
  });
}
