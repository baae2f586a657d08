import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseOf } from '../../test/support/housekeeping.ts';
import { type Call, startApp } from '../../test/support/app.ts';
import { randomFacts, record } from '../../test/support/recorded.ts';
import { eventsBetween } from '../timeline/events.ts';
import type { Facts } from '../timeline/facts.ts';
import { leftovers } from '../timeline/leftovers.ts';
import { definitionsStore } from '../segments/definitions.store.ts';
import { factsStore } from '../reading/facts.store.ts';

const firstSeed = Number(process.env.MODEL_SEED ?? 1);

/** Random histories, most of which leave something to be moved: of each cause of an end some. */
function worthMoving(now: number): Facts[] {
  const chosen: Facts[] = [];
  const wanted = new Map([
    ['ttl', 25],
    ['segment_deleted', 25],
    ['request', 10],
    ['import', 10],
    ['nothing', 5],
  ]);
  for (let seed = firstSeed; [...wanted.values()].some((count) => count > 0); seed++) {
    assert.ok(seed < firstSeed + 20_000, 'no history leaves what is wanted');
    const facts = randomFacts(seed, now);
    const found = leftovers(facts, now).map(({ cause }): string => cause);
    const causes = new Set(found.length === 0 ? ['nothing'] : found);
    if (![...causes].some((cause) => wanted.get(cause)! > 0)) continue;
    for (const cause of causes) wanted.set(cause, wanted.get(cause)! - 1);
    chosen.push(facts);
  }
  return chosen;
}

/** What may differ between two answers to one question: when it was asked. */
const timeless = (body: Record<string, unknown>) => ({ ...body, as_of: undefined, revision: undefined });

/** Everything that the service says of a user, by every route that says anything. */
async function said(call: Call, { userId, definitions, stays }: Facts, now: number) {
  const answers = new Map<string, unknown>();
  const ask = async (path: string) => {
    const { status, body } = await call('GET', path);
    assert.ok(status === 200 || status === 404, `${path}: ${status}`);
    answers.set(path, status === 200 ? timeless(body) : body.code);
  };
  const user = `/v1/users/${userId}`;
  const happened = [...new Set(stays.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]))].filter((at) => at < now).toSorted();
  const moments = happened.flatMap((at) => [at - 1, at]).map((at) => `at=${new Date(at).toISOString()}`);
  await ask(`${user}/segments?last_revision=true`);
  for (const at of moments) await ask(`${user}/segments?${at}`);
  for (const slug of new Set(definitions.segments.map((segment) => segment.slug))) {
    for (const at of ['', ...moments.filter((_, i) => i % 3 === 0)]) await ask(`${user}/segments/${slug}?${at}`);
    await ask(`/v1/segments/${slug}/members`);
    await ask(`/v1/segments/${slug}`);
  }
  for (const ended of [false, true]) await ask(`${user}/memberships?ended=${ended}&limit=1000`);
  const [from, to] = [0, now].map((at) => new Date(at).toISOString());
  await ask(`${user}/history?from=${from}&to=${to}`);
  const middle = new Date(happened[Math.floor(happened.length / 2)] ?? now - 1).toISOString();
  await ask(`${user}/history?from=${middle}&to=${to}`);
  const months = new Set([middle, to].map((at) => at!.slice(0, 7)));
  for (const month of months) {
    const { body } = await call('GET', `${user}/report?month=${month}`);
    answers.set(month, (await call('GET', new URL(body.url).pathname)).text);
  }
  return answers;
}

test(`whatever anybody asks, the answer is the same before and after (MODEL_SEED=${firstSeed})`, async () => {
  const { call, database } = await startApp();
  const now = Date.now();
  const all = worthMoving(now);
  for (const facts of all) await record(database, facts);
  const facts = factsStore(database, definitionsStore(database));
  const over = async () => {
    const read = await Promise.all(all.map(({ userId }) => facts.current(userId)));
    return read.flatMap((one) => leftovers(one.facts, now).map((ending) => ({ userId: one.facts.userId, ...ending })));
  };
  const before = await Promise.all(all.map((one) => said(call, one, now)));
  assert.ok((await over()).length > all.length / 2);

  await houseOf(database).tidy();
  assert.deepEqual(await over(), [], 'nothing that is over lies among the current ones');
  for (const [i, one] of all.entries()) assert.deepEqual(await said(call, one, now), before[i], one.userId);

  // What was moved is as the core foresaw it.
  for (const one of all) {
    const { facts: after } = await facts.since(one.userId, -Infinity);
    assert.deepEqual(eventsBetween(after, 0, Infinity), eventsBetween({ ...one, definitions: after.definitions }, 0, Infinity));
  }
});
