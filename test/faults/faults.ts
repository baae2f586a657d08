import { createClient } from '@redis/client';
import pg from 'pg';
import { randomSource } from '../model/random-history.ts';
import type { Random } from './operations.ts';
import { until } from '../support/service.ts';
import { maxStalenessSeconds, poolSize, type Surroundings } from './surroundings.ts';

/** What is hurt: two faults at once are never at one place. */
export type Place = 'service' | 'network' | 'postgres' | 'redis' | 'sessions';

export interface FaultKind {
  readonly name: string;
  readonly place: Place;
  /** Hurts, for as long as it takes, and mends. */
  readonly strike: (around: Surroundings, random: Random) => Promise<void>;
}

type Span = readonly [least: number, most: number];

const seconds = (random: Random, [least, most]: Span) => wait(1_000 * (least + random.next() * (most - least)));
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** One of the services, or both. */
const some = <T>(random: Random, all: readonly T[]): readonly T[] => (random.chance(0.4) ? all : [random.one(all)]);

const hard = (random: Random) => random.one(['kill', 'immediate'] as const);

/** Longer than memory may answer for, at times. */
const nearLimit: Span = [0.3, maxStalenessSeconds + 1];
const briefly: Span = [0, 0.5];

export const faultKinds: readonly FaultKind[] = [
  {
    name: 'service killed',
    place: 'service',
    async strike({ services }, random) {
      const hit = some(random, services);
      await Promise.all(hit.map(({ process }) => process.kill()));
      await seconds(random, [0, 1]);
      await Promise.all(hit.map(({ process }) => process.start()));
    },
  },
  {
    name: 'service paused',
    place: 'service',
    async strike({ services }, random) {
      for (const { process } of services) {
        process.pause();
        await seconds(random, [maxStalenessSeconds + 0.5, maxStalenessSeconds + 1.5]);
        process.resume();
      }
    },
  },
  {
    name: 'clock stepped',
    place: 'service',
    async strike({ services }, random) {
      const { process } = random.one(services);
      const hourMs = 3_600_000;
      for (const ms of [random.one([-hourMs, -2_000, 1_500, hourMs]), random.one([-hourMs, hourMs, 0]), 0]) {
        process.stepClock(ms);
        await seconds(random, [0.3, 1]);
      }
    },
  },
  {
    name: 'database killed',
    place: 'postgres',
    strike: ({ pair }, random) => pair.crash(hard(random), () => seconds(random, random.one([briefly, nearLimit]))),
  },
  {
    name: 'standby silent',
    place: 'postgres',
    strike: ({ pair }, random) => pair.holdCommits(() => seconds(random, [0.5, 2])),
  },
  {
    name: 'standby promoted',
    place: 'postgres',
    async strike({ pair, services }, random) {
      // Nobody reaches the old primary any more, not even one of its processes that lives a moment longer.
      for (const { network } of services) network.refuse(true);
      for (const { network } of services) network.cut();
      await pair.failOver(hard(random));
      for (const { network } of services) network.refuse(false);
      await pair.makeStandby();
    },
  },
  {
    name: 'network cut',
    place: 'network',
    async strike({ services }, random) {
      const hit = some(random, services);
      for (const { network } of hit) network.refuse(true);
      for (const { network } of hit) network.cut();
      await seconds(random, random.one([briefly, nearLimit]));
      for (const { network } of hit) network.refuse(false);
    },
  },
  {
    name: 'network silent',
    place: 'network',
    async strike({ services }, random) {
      const hit = some(random, services);
      const isBroken = random.chance(0.5);
      for (const { network } of hit) network.swallow(true);
      await seconds(random, nearLimit);
      if (isBroken) for (const { network } of hit) network.cut();
      for (const { network } of hit) network.swallow(false);
    },
  },
  {
    name: 'network slow',
    place: 'network',
    async strike({ services }, random) {
      const hit = some(random, services);
      const delays = randomSource(random.below(2 ** 31));
      const [least, most] = random.one([
        [5, 20],
        [50, 100],
        [0, 300],
      ] as const);
      for (const { network } of hit) network.slow(() => least + delays.next() * (most - least));
      await seconds(random, [1, 3]);
      for (const { network } of hit) network.slow(() => 0);
    },
  },
  {
    name: 'Redis emptied',
    place: 'redis',
    async strike({ redis }, random) {
      const client = createClient({ url: redis.url, RESP: 2 });
      client.on('error', () => {});
      await client.connect();
      for (let times = 1 + random.below(4); times > 0; times--) {
        await client.flushAll();
        await seconds(random, [0, 0.2]);
      }
      client.destroy();
    },
  },
  {
    name: 'Redis killed',
    place: 'redis',
    async strike({ redis }, random) {
      await redis.kill();
      await seconds(random, [0.2, 2]);
      await redis.start();
    },
  },
  {
    name: 'Redis frozen',
    place: 'redis',
    async strike({ redis }, random) {
      redis.freeze();
      await seconds(random, [0.2, 2]);
      redis.resume();
    },
  },
  {
    name: 'pool exhausted',
    place: 'sessions',
    // Whoever asks about the past, or changes one of these users, waits with a connection of the pool in hand.
    strike: (around, random) =>
      holding(
        around,
        'segmentd',
        [
          'begin',
          'lock table past_memberships in access exclusive mode',
          `select from users where user_id like 'hot-%' order by user_id limit ${2 * poolSize} for update`,
        ],
        () => seconds(random, [1, 4]),
      ),
  },
  {
    name: 'stuck writer',
    place: 'sessions',
    // What it would have written is not settled, and segments cannot be changed.
    strike: (around, random) =>
      holding(around, 'segmentd', ['begin', 'lock table gate in row share mode', 'select pg_current_xact_id()'], () =>
        seconds(random, [0.5, 2.5]),
      ),
  },
  {
    name: 'slow writes',
    place: 'sessions',
    async strike(around, random) {
      await askQuietly(around, 'insert into audit.pace values (0.15)');
      await seconds(random, [1, 3]);
      await until(() => askQuietly(around, 'delete from audit.pace'), 'the database, to write as fast as before', 60_000);
    },
  },
  {
    name: 'idle transaction elsewhere',
    place: 'sessions',
    strike: (around, random) =>
      holding(around, 'postgres', ['begin', 'select pg_current_xact_id()'], () => seconds(random, [2, 4])),
  },
];

/** Whether it could be asked: another fault may be faster. */
async function askQuietly({ pair }: Surroundings, text: string): Promise<boolean> {
  const client = new pg.Client({ ...pair.connection(), database: 'segmentd' });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(text);
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Does this in a session of its own and stays so meanwhile. A database that goes down ends it, which is no failure. */
async function holding({ pair }: Surroundings, database: string, texts: readonly string[], meanwhile: () => Promise<void>) {
  const client = new pg.Client({ ...pair.connection(), database });
  client.on('error', () => {});
  try {
    await client.connect();
    for (const text of texts) await client.query(text);
  } catch {
    // Another fault was faster, and this one is none then but for its time.
  }
  await meanwhile();
  await client.end().catch(() => {});
}
