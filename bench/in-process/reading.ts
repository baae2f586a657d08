/**
 * Fills the snapshot with so many users and reads random ones in this process, in interleaved rounds: whole reads, and the
 * bare table beside them. Prints the samples and what the memory came to, as JSON. To be run with --expose-gc.
 */
import { parseArgs } from 'node:util';
import type { DatabaseClient } from '../../src/db/database.ts';
import type { UserRead } from '../../src/reading/reader.ts';
import { tableLoader } from '../../src/reading/snapshot/loading.ts';
import { snapshotReader } from '../../src/reading/snapshot/snapshot.service.ts';
import { maxAhead, MembershipTable } from '../../src/reading/snapshot/table.ts';
import { firstUserId, membershipsAUser } from '../support/population.ts';
import { interleave } from '../support/statistics.ts';
import { madeUpLog } from './made-up-log.ts';

const options = { users: { type: 'string' }, rounds: { type: 'string' }, seconds: { type: 'string' } } as const;
const { values } = parseArgs({ options });
const [users, rounds, seconds] = [Number(values.users), Number(values.rounds), Number(values.seconds)];

const askedIds = Array.from({ length: 2_000_000 }, () => String(firstUserId + Math.floor(Math.random() * users)));
for (const id of askedIds) id.charCodeAt(0); // flat text, as it comes from a request

/** As many as a lookup takes, so that it is asked as one asks. */
const lookedUp = 1000;

const before = memory();
const startedAt = performance.now();
const reader = await loaded();
const loadSeconds = (performance.now() - startedAt) / 1000;
const processBytes = memory() - before;

const table = new MembershipTable();
await madeUpLog(users).log.load(() => tableLoader(table, Date.now()), new AbortController().signal);

const samples = await interleave(
  {
    oneByOne: async () => measure(1, read),
    inBatches: async () =>
      measure(lookedUp, (from, to) => {
        for (const one of reader.readMany!(askedIds.slice(from, to), 0)!) expectWhole(one);
      }),
    tableOneByOne: async () => measure(1, find),
    tableInBatches: async () =>
      measure(maxAhead, (from, to) => {
        table.prefetch(askedIds, from, to);
        find(from, to);
      }),
  },
  rounds,
);
process.stdout.write(
  JSON.stringify({ samples, users: reader.figures().users, tableBytes: reader.figures().bytes, processBytes, loadSeconds }),
);

/** What the process holds, with the garbage collected. */
function memory(): number {
  globalThis.gc!();
  return process.memoryUsage.rss();
}

async function loaded() {
  let isWoken = () => {};
  const woken = new Promise<void>((resolve) => (isWoken = resolve));
  const reader = snapshotReader({
    ...madeUpLog(users),
    maxStalenessMs: 3_600_000,
    wake: () => isWoken(),
    onFailure: (error) => {
      throw error;
    },
  });
  const client = null as unknown as DatabaseClient; // the made-up log asks nobody
  await reader.refresh(client, true); // begins to load
  await woken;
  await reader.refresh(client, false);
  if (!reader.isLoaded() || reader.figures().users !== users)
    throw new Error(`holds ${reader.figures().users} of ${users} users`);
  return reader;
}

/** Whole reads, as a route makes them. */
function read(from: number, to: number) {
  for (let i = from; i < to; i++) {
    const one = reader.read(askedIds[i]!, 0);
    if (one instanceof Promise) throw new Error('a read waits');
    expectWhole(one);
  }
}

function expectWhole(one: UserRead | undefined) {
  if (one?.segments.length !== membershipsAUser) throw new Error('a read went wrong');
}

/** Finds the stays in the table, and makes no answer of them. */
function find(from: number, to: number) {
  for (let i = from; i < to; i++) {
    if (!table.find(askedIds[i]!) || table.found[table.to - 1] === 0) throw new Error('a user was not found');
  }
}

/** So many users at a time, one batch after the other. */
function measure(atOnce: number, run: (from: number, to: number) => void): { perSecond: number } {
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;
  let [done, at] = [0, Math.floor(Math.random() * askedIds.length)];
  while (performance.now() < endAt) {
    for (let batch = 0; batch < 4096; batch += atOnce) {
      if (at + atOnce > askedIds.length) at = 0;
      run(at, at + atOnce);
      at += atOnce;
      done += atOnce;
    }
  }
  return { perSecond: done / ((performance.now() - startedAt) / 1000) };
}
