import { setTimeout as wait } from 'node:timers/promises';
import type { Benchmark, Conditions, Figure } from './support/benchmark.ts';
import { firstUserId, membershipsAUser, populate, slugOf } from './support/population.ts';
import type { BenchDatabase } from './support/postgres.ts';
import { runInProcess } from './support/processes.ts';
import { startServiceWithSnapshot } from './support/service.ts';
import { figureOf, interleave, median, percentile, ratio, type Sample } from './support/statistics.ts';

const loadedUsers = 1_000_000;
const defaultUsers = 10_000_000;

/** The snapshot: loading it from PostgreSQL, its size, reads in process, and how soon another process shows a change. */
export const snapshot: Benchmark = {
  tools: [],
  async run(conditions) {
    const { server, users = defaultUsers, rounds, say } = conditions;
    say(`filling in ${loadedUsers} users`);
    await using database = await server.createDatabase();
    await populate(database, { users: loadedUsers });

    say('loading');
    const loading = await interleave(
      { bareStream: () => loadOnce(database, 'bare'), load: () => loadOnce(database, 'whole') },
      rounds,
    );
    say(`reading in process, ${users} users`);
    const reading = await readInProcess(users, conditions);
    say('changing through one process and reading through another');
    const delays = await measureDelays(database, conditions);

    return {
      setting: { loadedUsers, loadedMemberships: loadedUsers * membershipsAUser, usersInProcess: users, membershipsAUser },
      rounds: {
        ...loading,
        ...reading.samples,
        fromSending: samplesOf(delays.fromSending),
        fromAnswer: samplesOf(delays.fromAnswer),
      },
      figures: [...loadFigures(loading), ...readFigures(reading), ...delayFigures(delays)],
    };
  },
};

type Loaded = { seconds: number; users: number; bytes: number };

/** In a process of its own, as at the start of a service. */
async function loadOnce(database: BenchDatabase, how: 'bare' | 'whole'): Promise<Loaded> {
  const output = await runInProcess('bench/in-process/loading.ts', [how], {
    env: { DATABASE_URL: database.url },
    limitSeconds: 600,
  });
  const loaded = JSON.parse(output) as Loaded;
  if (how === 'whole' && loaded.users !== loadedUsers) throw new Error(`${loaded.users} of ${loadedUsers} users were loaded`);
  return loaded;
}

function loadFigures({ load, bareStream }: Record<'load' | 'bareStream', Loaded[]>): Figure[] {
  const [taken, bare] = [figureOf(load, 'seconds'), figureOf(bareStream, 'seconds')];
  return [
    { what: 'snapshot: time to load 5,000,000 memberships', value: median(taken), unit: 's', aim: { atMost: 5 } },
    { what: 'snapshot: users a second while loading', value: loadedUsers / median(taken) },
    {
      what: 'snapshot: time to load over that of the bare stream',
      value: ratio(taken, bare),
      of: `${median(taken).toFixed(2)} / ${median(bare).toFixed(2)} s`,
    },
  ];
}

interface Reading {
  readonly samples: Record<'oneByOne' | 'inBatches' | 'tableOneByOne' | 'tableInBatches', { perSecond: number }[]>;
  readonly users: number;
  readonly tableBytes: number;
  readonly processBytes: number;
}

async function readInProcess(users: number, { rounds, seconds }: Conditions): Promise<Reading> {
  const args = ['--users', String(users), '--rounds', String(rounds), '--seconds', String(seconds)];
  const limitSeconds = 120 + users / 20_000 + 4 * seconds * (rounds + 1);
  return JSON.parse(await runInProcess('bench/in-process/reading.ts', args, { limitSeconds, exposeGc: true })) as Reading;
}

function readFigures({ samples, users, tableBytes, processBytes }: Reading): Figure[] {
  const perSecond = (name: keyof typeof samples) => median(figureOf(samples[name], 'perSecond'));
  const at = `${users.toLocaleString('en')} users`;
  return [
    { what: `snapshot: bytes a user, ${at} in 5 segments`, value: tableBytes / users, aim: { atMost: 45 } },
    { what: 'snapshot: the same, by what the process grew', value: processBytes / users },
    {
      what: `snapshot: reads a second in process, ${at}, one by one`,
      value: perSecond('oneByOne'),
      aim: { atLeast: 5_000_000 },
    },
    { what: 'snapshot: the same, looked for ahead as in a lookup', value: perSecond('inBatches') },
    { what: 'snapshot: the table alone, one by one', value: perSecond('tableOneByOne') },
    { what: 'snapshot: the table alone, looked for ahead', value: perSecond('tableInBatches') },
  ];
}

interface Delays {
  readonly fromSending: number[];
  readonly fromAnswer: number[];
}

/**
 * Puts a user in a segment through one process and asks the other again and again, with default reads, until it shows.
 * The commit lies between the sending of the PATCH and its answer, so the true delay lies between the two that are measured.
 * It pauses a random time in between, so that it does not fall into step with what follows the log.
 */
async function measureDelays(database: BenchDatabase, { rounds, seconds }: Conditions): Promise<Delays> {
  await using writing = await startServiceWithSnapshot(database, loadedUsers);
  await using reading = await startServiceWithSnapshot(database, loadedUsers);
  const delays: Delays = { fromSending: [], fromAnswer: [] };
  const endAt = performance.now() + rounds * seconds * 1000;
  for (let n = 0; performance.now() < endAt; n++) {
    const path = `/v1/users/${firstUserId + n}/segments`;
    const { text } = await reading.send('GET', path);
    const slug = Array.from({ length: 20 }, (_, i) => slugOf(i + 1)).find((one) => !text.includes(one))!;
    const sentAt = performance.now();
    await writing.send('PATCH', path, { add: [slug] });
    const answeredAt = performance.now();
    while (!(await reading.send('GET', path)).text.includes(slug)) {
      if (performance.now() > answeredAt + 10_000) throw new Error('another process did not show a change within 10 s');
      await wait(1);
    }
    const seenAt = performance.now();
    if (n >= 10) {
      delays.fromSending.push(seenAt - sentAt);
      delays.fromAnswer.push(seenAt - answeredAt);
    }
    await wait(50 + Math.random() * 100);
  }
  return delays;
}

function delayFigures({ fromSending, fromAnswer }: Delays): Figure[] {
  const of = `${fromSending.length} changes`;
  return [
    { what: 'commit to visible in another process, idle, p50', value: percentile(fromSending, 50), unit: 'ms', of },
    {
      what: 'commit to visible in another process, idle, p99',
      value: percentile(fromSending, 99),
      unit: 'ms',
      of,
      aim: { atMost: 100 },
    },
    { what: 'the same from the answer on, p99', value: percentile(fromAnswer, 99), unit: 'ms', of },
  ];
}

const samplesOf = (delays: readonly number[]): Sample[] => delays.map((delayMs) => ({ delayMs }));
