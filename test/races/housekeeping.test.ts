import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsStore } from '../../src/reading/facts.store.ts';
import { definitionsStore } from '../../src/segments/definitions.store.ts';
import { leftovers } from '../../src/timeline/leftovers.ts';
import { randomSource } from '../model/random-history.ts';
import { type Call, startApp, type TestApp } from '../support/app.ts';
import { openAgain } from '../support/database.ts';
import { houseOf } from '../support/housekeeping.ts';
import { until } from '../support/service.ts';
import { type Acknowledged, brokenAcknowledgements, violationsOf } from './check.ts';
import { hurt } from './scenario.ts';

const seed = Number(process.env.RACE_SEED ?? Date.now() % 1_000_000);
const rounds = Number(process.env.RACE_ROUNDS ?? 80);

/** Two processes keep house, as often as they can. */
async function keepHouse({ database }: TestApp, isRunning: () => boolean): Promise<void> {
  const houses = [houseOf(openAgain(database)), houseOf(openAgain(database))];
  while (isRunning()) await Promise.all(houses.map((house) => house.round()));
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
  const users = Array.from({ length: 6 }, (_, i) => `u${i}`);
  const acknowledged: Acknowledged[] = [];
  const unexpected: string[] = [];
  const soon = (ms: number) => new Date(Date.now() + ms).toISOString();

  const write = async (call: Call) => {
    for (let i = 0; i < rounds; i++) {
      const [userId, named] = [random.one(users), [random.one(slugs)]];
      const body = random.one([
        { add: named },
        { add: named, expires_at: soon(4 + random.below(10)) },
        { add: named, starts_at: soon(4 + random.below(10)) },
        { add: named, starts_at: soon(4 + random.below(5)), expires_at: soon(12 + random.below(10)) },
        { remove: named },
      ]);
      const { status, body: answer, text } = await call('PATCH', `/v1/users/${userId}/segments`, body);
      if (status === 200) acknowledged.push({ userId, named, answer: answer as Acknowledged['answer'] });
      else if (!(status === 400 && /must lie/.test(text))) unexpected.push(`${status} ${text}`);
    }
  };
  const writers = Array.from({ length: 6 }, (_, i) => write(calls[i % 2]!));
  let isRunning = true;
  const keeping = keepHouse(first, () => isRunning);
  await Promise.allSettled(writers);
  isRunning = false;
  await Promise.all([...writers, keeping]);
  assert.deepEqual(unexpected, []);
  assert.deepEqual(await brokenAcknowledgements(first, acknowledged), []);
  const changes = await database.pool.query(`select from changes`);
  assert.ok(changes.rowCount! > new Set(acknowledged.map(({ answer }) => answer.revision)).size, 'something was moved besides');

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
