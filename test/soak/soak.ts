import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { cloneDatabase } from '../support/database.ts';
import { figuresOf } from '../support/process-figures.ts';
import { adminKey, startService, until } from '../support/service.ts';
import { prepare, worksOn } from './load.ts';

const minutes = Number(process.env.SOAK_MINUTES ?? 10);
/** The figure that a leak in the service, planted for this run, must make grow. */
const planted = process.env.SOAK_PLANT;
const preloaded = ['./collecting.ts', ...(planted === undefined ? [] : ['./leaking.ts'])];
const sampleMs = 2_000;
const samplesBetweenRests = 10;
/** For the collection that was asked for, which takes some ten milliseconds. */
const collectionMs = 300;

/** What may lie between the second third of the run and the last, by the medians; the first one is to warm up. */
const bounds = {
  rss: (before: number) => before * 0.05 + 10 * mib,
  /** While the load rests, after a collection: what lives though nothing is under way. */
  heap: (before: number) => before * 0.05 + 2 * mib,
  handles: () => 10,
  sockets: () => 10,
  connections: () => 3,
} as const;
const mib = 1_048_576;

type Figure = keyof typeof bounds;

test(`${minutes} minutes of mixed load: no growth of memory, handles or connections`, async (t) => {
  const database = await cloneDatabase();
  const service = await startService({
    DATABASE_URL: database.url,
    LOG_SAMPLE: '0',
    SLOW_REQUEST_MS: '3600000',
    ...(planted !== undefined && { SOAK_PLANT: planted }),
    NODE_OPTIONS: preloaded.map((path) => `--import ${import.meta.resolve(path)}`).join(' '),
  });
  const watcher = await database.connect();
  await watcher.query(`set application_name = 'soak'`);
  await prepare(service);

  const statuses = new Map<string, number>();
  const count = (what: string) => void statuses.set(what, (statuses.get(what) ?? 0) + 1);
  const endAt = performance.now() + minutes * 60_000;
  const isOver = () => performance.now() >= endAt;
  let rest: PromiseWithResolvers<void> | undefined;
  let underWay = 0;
  const working = worksOn(service, count).flatMap(({ workers, pauseMs, run }) =>
    Array.from({ length: workers }, async () => {
      for (let turn = 1; !isOver(); turn++) {
        await rest?.promise;
        underWay++;
        await run(turn);
        underWay--;
        await wait(pauseMs);
      }
    }),
  );

  const connections = async (): Promise<number> => {
    const { rows } = await watcher.query<{ n: number }>(
      `select count(*) as n from pg_stat_activity where datname = current_database() and application_name = 'segmentd'`,
    );
    return rows[0]!.n;
  };
  const heap = async (): Promise<number> => {
    service.process.kill('SIGPROF');
    await wait(collectionMs);
    const figures = await (await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } })).text();
    return Number(/^nodejs_heap_size_used_bytes (\S+)$/m.exec(figures)![1]);
  };
  /** The least of three, as what was broken off may go on for a moment. */
  const heapAtRest = async (): Promise<number> => {
    rest = Promise.withResolvers();
    await until(() => underWay === 0, 'the load to rest', 60_000);
    const least = Math.min(await heap(), await heap(), await heap());
    rest.resolve();
    rest = undefined;
    return least;
  };
  const samples: Record<Figure, number[]> = { rss: [], heap: [], handles: [], sockets: [], connections: [] };
  for (let n = 0; !isOver(); n++) {
    const figures = { ...figuresOf(service.process.pid!), connections: await connections() };
    for (const [name, value] of Object.entries(figures)) samples[name as Figure].push(value);
    if (n % samplesBetweenRests === 0) {
      // Nobody asks for more and more: else what a report reads is what grows.
      await watcher.query(`delete from past_memberships where ends_at < now() - interval '1 minute'`);
      samples.heap.push(await heapAtRest());
    }
    await wait(sampleMs);
  }
  await Promise.all(working);

  const kept = 10 + 6; // its pool, and those that listen, follow, tell and keep house
  await until(async () => (await connections()) <= kept, 'the connections of exports and previews to be gone', 60_000);
  t.diagnostic(`answers: ${JSON.stringify(Object.fromEntries([...statuses].sort()))}`);
  const grown = Object.entries(bounds).flatMap(([name, bound]) => {
    const all = samples[name as Figure];
    const third = Math.floor(all.length / 3);
    const [before, after] = [median(all.slice(third, 2 * third)), median(all.slice(2 * third))];
    const most = Math.max(...all);
    const shown = (value: number) => (before > mib ? `${(value / mib).toFixed(1)} MiB` : String(value));
    if (name === 'heap') t.diagnostic(`heap at each rest, in MiB: ${all.map((one) => (one / mib).toFixed(1)).join(' ')}`);
    t.diagnostic(`${name}: ${shown(before)} in the second third, ${shown(after)} in the last, ${shown(most)} at most`);
    return after - before > bound(before) ? [name] : [];
  });
  if (planted === undefined) assert.deepEqual(grown, [], 'what has grown');
  else assert.ok(grown.includes(planted), `what has grown: ${grown.join(', ') || 'nothing'}`);
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
