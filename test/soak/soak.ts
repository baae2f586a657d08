import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { cloneDatabase } from '../support/database.ts';
import { figuresOf } from '../support/process-figures.ts';
import { adminKey, startService, until } from '../support/service.ts';
import { prepare, worksOn } from './load.ts';

const minutes = Number(process.env.SOAK_MINUTES ?? 10);
const sampleMs = 2_000;

/** What may lie between the second third of the run and the last, by the medians; the first one is to warm up. */
const bounds = {
  rss: (before: number) => before * 0.05 + 10 * mib,
  /** The least of each minute, so what lives: garbage is collected twice in it, as otherwise it may lie for minutes. */
  heap: (before: number) => before * 0.05 + 5 * mib,
  handles: () => 10,
  sockets: () => 10,
  connections: () => 3,
} as const;
const mib = 1_048_576;

type Sample = Record<keyof typeof bounds, number>;

test(`${minutes} minutes of mixed load: no growth of memory, handles or connections`, async (t) => {
  const database = await cloneDatabase();
  const service = await startService({
    DATABASE_URL: database.url,
    LOG_SAMPLE: '0',
    SLOW_REQUEST_MS: '3600000',
    NODE_OPTIONS: `--import ${import.meta.resolve('./collecting.ts')}`,
  });
  const watcher = await database.connect();
  await watcher.query(`set application_name = 'soak'`);
  await prepare(service);

  const statuses = new Map<string, number>();
  const count = (what: string) => void statuses.set(what, (statuses.get(what) ?? 0) + 1);
  const endAt = performance.now() + minutes * 60_000;
  const isOver = () => performance.now() >= endAt;
  const works = worksOn(service, count);
  const working = works.flatMap(({ workers, pauseMs, run }) =>
    Array.from({ length: workers }, async () => {
      for (let turn = 1; !isOver(); turn++) {
        await run(turn);
        await wait(pauseMs);
      }
    }),
  );

  const sample = async (): Promise<Sample> => {
    const { rows } = await watcher.query<{ n: number }>(
      `select count(*) as n from pg_stat_activity where datname = current_database() and application_name = 'segmentd'`,
    );
    const figures = await (await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } })).text();
    const heap = Number(/^nodejs_heap_size_used_bytes (\S+)$/m.exec(figures)![1]);
    return { ...figuresOf(service.process.pid!), heap, connections: rows[0]!.n };
  };
  const samples: Sample[] = [];
  while (!isOver()) {
    if (samples.length % 15 === 0) {
      // Nobody asks for more and more: else the page of a report that is under way is what grows.
      await watcher.query(`delete from past_memberships where ends_at < now() - interval '1 minute'`);
      service.process.kill('SIGPROF');
    }
    samples.push(await sample());
    await wait(sampleMs);
  }
  await Promise.all(working);

  const kept = 10 + 6; // its pool, and those that listen, follow, tell and keep house
  await until(async () => (await sample()).connections <= kept, 'the connections of exports and previews to be gone', 60_000);
  t.diagnostic(`answers: ${JSON.stringify(Object.fromEntries([...statuses].sort()))}`);
  const third = Math.floor(samples.length / 3);
  const [second, last] = [samples.slice(third, 2 * third), samples.slice(2 * third)];
  const grown = Object.entries(bounds).flatMap(([name, bound]) => {
    const of = (part: Sample[]) =>
      name === 'heap' ? median(leastOfEach(part.map(({ heap }) => heap))) : median(part.map((one) => one[name as keyof Sample]));
    const [before, after] = [of(second), of(last)];
    const most = Math.max(...samples.map((one) => one[name as keyof Sample]));
    const shown = (value: number) => (before > mib ? `${(value / mib).toFixed(1)} MiB` : String(value));
    t.diagnostic(`${name}: ${shown(before)} in the second third, ${shown(after)} in the last, ${shown(most)} at most`);
    return after - before > bound(before) ? [name] : [];
  });
  assert.deepEqual(grown, [], 'what has grown');
  assert.deepEqual(
    [...statuses.keys()].filter((status) => status.startsWith('5') && status !== '503 overloaded'),
    [],
  );
  const all = [...statuses.values()].reduce((sum, one) => sum + one, 0);
  assert.ok((statuses.get('no answer') ?? 0) <= all / 1_000, 'a machine that others starve may lose one now and then');
  assert.doesNotMatch(service.output(), /"level":[56]0/, service.output().slice(-2_000));

  await watcher.end();
  service.process.kill('SIGTERM');
  assert.equal(await service.exited, 0);
});

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** The least of each thirty in a row. */
const leastOfEach = (values: number[]): number[] =>
  Array.from({ length: Math.ceil(values.length / 30) }, (_, i) => Math.min(...values.slice(i * 30, i * 30 + 30)));
