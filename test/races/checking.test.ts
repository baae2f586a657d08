import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../src/checking/checking.service.ts';
import { findingLine } from '../../src/checking/finding.ts';
import type { Database } from '../../src/db/database.ts';
import { randomSource } from '../model/random-history.ts';
import { type Call, startApp } from '../support/app.ts';
import { openAgain } from '../support/database.ts';
import { houseOf } from '../support/housekeeping.ts';
import { importFile } from '../support/imports.ts';
import { hurt, type Scenario } from './scenario.ts';

const seed = Number(process.env.RACE_SEED ?? Date.now() % 1_000_000);
const rounds = Number(process.env.RACE_ROUNDS ?? 80);

type Random = ReturnType<typeof randomSource>;

/** All that is found, in pages of some rows, so that one check has many. */
async function linesOf(database: Database): Promise<string[]> {
  const lines: string[] = [];
  for await (const page of check(database, 7).findings) lines.push(...page.map(findingLine));
  return lines;
}

interface Checks {
  found: string[];
  count: number;
}

/** One check after the other: what they found, and how many there were. */
async function keepChecking(checks: Checks, database: Database, isRunning: () => boolean) {
  for (; isRunning(); checks.count++) checks.found.push(...(await linesOf(database)));
}

test(`a check beside writers, importers and changes of segments finds nothing (RACE_SEED=${seed})`, async () => {
  const checks: Checks = { found: [], count: 0 };
  const meanwhile: Scenario['meanwhile'] = ({ database }, isRunning) => keepChecking(checks, openAgain(database), isRunning);
  assert.deepEqual(await hurt({ seed, rounds, withImports: true, meanwhile }), []);
  assert.deepEqual(checks.found, []);
  assert.ok(checks.count > 2, `${checks.count} checks`);
});

test(`nor beside plans, groups and housekeeping (RACE_SEED=${seed})`, async () => {
  const { call, another, database } = await startApp({ imports: { batchSize: 5 } });
  const calls = [call, await another()];
  const random = randomSource(seed);
  for (const [slug, percent, group] of [
    ['A', 50],
    ['B', 0],
    ['C', 0],
    ['G1', 30, 'G'],
    ['G2', 30, 'G'],
  ] as const)
    await call('POST', '/v1/segments', { slug, percent, ...(group && { exclusive_group: group }) });
  const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
  const running = { is: true };
  const unexpected: string[] = [];
  const goOn = async (step: () => Promise<{ status: number; text: string } | void>) => {
    while (running.is) {
      const answer = await step();
      if (answer && answer.status >= 500) unexpected.push(answer.text);
    }
  };
  const house = houseOf(openAgain(database), { only: /^stays/ });
  const others = [
    goOn(() => change(call, random)),
    goOn(
      async () =>
        void (await importFile(
          call,
          random.one(['B', 'G1']),
          `operation=${random.one(['add', 'remove', 'replace'])}`,
          someOf(users, random).join('\n'),
        )),
    ),
    goOn(async () => void (await house.round())),
  ];
  const checks: Checks = { found: [], count: 0 };
  const checking = keepChecking(checks, openAgain(database), () => running.is);
  /** On a slow machine longer, until there have been checks enough to meet. */
  const goesOn = (n: number) => n < rounds || (checks.count < 6 && n < 10 * rounds);
  const writers = Array.from({ length: 6 }, async (_, i) => {
    for (let n = 0; goesOn(n); n++) {
      const answer = await calls[i % 2]!('PATCH', `/v1/users/${random.one(users)}/segments`, bodyOf(random));
      if (answer.status >= 500) unexpected.push(answer.text);
    }
  });
  await Promise.allSettled(writers);
  running.is = false;
  await Promise.all([...writers, ...others]);
  await checking;
  assert.deepEqual([checks.found, house.failures, unexpected], [[], [], []]);
  assert.ok(checks.count > 2, `${checks.count} checks`);
  assert.deepEqual(await linesOf(database), []);
});

const someOf = (users: readonly string[], random: Random) => users.filter(() => random.chance(0.4));

const soon = (ms: number) => new Date(Date.now() + ms).toISOString();

function bodyOf(random: Random): object {
  const slug = [random.one(['A', 'B', 'C', 'G1', 'G2'])];
  return random.one([
    { add: slug },
    { add: slug, replace_in_group: true },
    { add: slug, expires_at: soon(4 + random.below(30)) },
    { add: slug, starts_at: soon(4 + random.below(30)) },
    { add: slug, starts_at: soon(4 + random.below(10)), expires_at: soon(20 + random.below(40)) },
    { add: slug, starts_at: soon(86_400_000) },
    { remove: slug },
  ]);
}

/** Of segments: one is deleted and made again, and percentages come and go, now and later. */
async function change(call: Call, random: Random) {
  const percent = random.one([0, 10, 40]);
  if (random.chance(0.3)) {
    await call('DELETE', '/v1/segments/C');
    return call('POST', '/v1/segments', { slug: 'C', percent });
  }
  const at = random.chance(0.5) ? { effective_at: soon(5 + random.below(40)) } : {};
  return call('PATCH', `/v1/segments/${random.one(['A', 'G1', 'G2'])}`, { percent, ...at });
}
