import { setTimeout as wait } from 'node:timers/promises';
import type { Benchmark, Conditions, Figure } from './support/benchmark.ts';
import type { BenchDatabase } from './support/postgres.ts';
import { runLoadScript } from './support/processes.ts';
import { key, type Service, startService } from './support/service.ts';
import { median, percentile, type Sample } from './support/statistics.ts';

const slug = 'BENCH';
const followers = 1_000;
const changesPerSecond = 1_000;

/** The stream of changes: how soon a follower hears of a change when nothing else goes on, and a thousand at a thousand changes a second. */
export const following: Benchmark = {
  tools: [],
  async run(conditions) {
    const { server, rounds, seconds, say } = conditions;
    await using database = await server.createDatabase();
    say('changing through one process and following another');
    const delays = await measureDelays(database, conditions);
    const crowds: Crowd[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`${followers} followers at ${changesPerSecond} changes a second`);
      crowds.push(await measureCrowd(server, seconds));
    }
    return {
      setting: { followers, changesPerSecond, seconds },
      rounds: { idle: delays.map((delayMs) => ({ delayMs })), crowd: crowds },
      figures: [...idleFigures(delays), ...crowdFigures(crowds)],
    };
  },
};

/** From the sending of a PATCH to its event at a follower of another process; the commit lies between the sending and the answer. */
async function measureDelays(database: BenchDatabase, { rounds, seconds }: Conditions): Promise<number[]> {
  await using writing = await startService(database, { CACHE: 'off' });
  await using followed = await startService(database, { CACHE: 'off' });
  await writing.send('POST', '/v1/segments', { slug });
  const cut = new AbortController();
  const answer = await fetch(`${followed.url}/v1/changes`, { headers: { authorization: `Bearer ${key}` }, signal: cut.signal });
  const heardAt = new Map<string, number>();
  const listening = (async () => {
    for await (const piece of answer.body!.pipeThrough(new TextDecoderStream()))
      for (const [, userId] of piece.matchAll(/"user_id":"(\w+)"/g)) heardAt.set(userId!, performance.now());
  })().catch(() => {}); // cut at the end
  const delays: number[] = [];
  const endAt = performance.now() + rounds * seconds * 1000;
  for (let n = 0; performance.now() < endAt; n++) {
    const sentAt = performance.now();
    await writing.send('PATCH', `/v1/users/idle${n}/segments`, { add: [slug] });
    while (!heardAt.has(`idle${n}`)) {
      if (performance.now() > sentAt + 10_000) throw new Error('a follower did not hear of a change within 10 s');
      await wait(1);
    }
    if (n >= 10) delays.push(heardAt.get(`idle${n}`)! - sentAt);
    await wait(50 + Math.random() * 100); // not in step with what follows
  }
  cut.abort();
  await listening;
  return delays;
}

type Crowd = Sample & {
  readonly deliveries: number;
  readonly changesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly grownMegabytes: number;
};

async function measureCrowd(server: Conditions['server'], seconds: number): Promise<Crowd> {
  await using database = await server.createDatabase();
  await using writing = await startService(database, { CACHE: 'off' });
  await using followed = await startService(database, { CACHE: 'off' });
  await writing.send('POST', '/v1/segments', { slug });
  const load = (env: Record<string, string | number>) => loadOf(writing, followed, env, seconds);
  await load({ USERS: 'first', FOLLOWERS: 1, PER_SECOND: 50, SECONDS: 2 }); // so that what is loaded once is there
  const before = await followed.peakMegabytes();
  const told = await load({ USERS: 'then', FOLLOWERS: followers, PER_SECOND: changesPerSecond, SECONDS: seconds });
  return { ...told, grownMegabytes: (await followed.peakMegabytes()) - before };
}

async function loadOf(writing: Service, followed: Service, given: Record<string, string | number>, seconds: number) {
  const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
  const addresses = { CHANGE_URL: writing.url, FOLLOW_URL: followed.url, KEY: key, SLUG: slug };
  const output = await runLoadScript('bench/load/followers.ts', { env: { ...addresses, ...env }, limitSeconds: 150 + seconds });
  return JSON.parse(output) as Crowd;
}

const idleFigures = (delays: readonly number[]): Figure[] => [
  { what: 'following: change to event in a follower of another process, idle, p50', value: percentile(delays, 50), unit: 'ms' },
  {
    what: 'following: the same, p99',
    value: percentile(delays, 99),
    unit: 'ms',
    aim: { atMost: 150 },
    of: `${delays.length} changes, from the sending of each`,
  },
];

function crowdFigures(crowds: readonly Crowd[]): Figure[] {
  const of = (name: keyof Crowd) => median(crowds.map((crowd) => crowd[name] as number));
  return [
    {
      what: `following: ${followers} followers at ${changesPerSecond} changes a second, p99`,
      value: of('p99Ms'),
      unit: 'ms',
      aim: { atMost: 1_000 },
      of: `${Math.round(of('deliveries')).toLocaleString('en')} deliveries, p50 ${of('p50Ms')} ms, the last ${of('maxMs')} ms`,
    },
    { what: 'following: changes a second that were made meanwhile', value: of('changesPerSecond') },
    { what: 'following: growth of the process by it', value: of('grownMegabytes'), unit: 'MB', aim: { atMost: 100 } },
  ];
}
