import { createWriteStream, openAsBlob } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Benchmark, Figure } from './support/benchmark.ts';
import { countRows, firstUserId } from './support/population.ts';
import type { BenchDatabase, PostgresServer } from './support/postgres.ts';
import { runPsql } from './support/psql.ts';
import { key, type Service, startService, startServiceWithSnapshot } from './support/service.ts';
import { countLines, timed } from './support/timing.ts';
import { figureOf, interleave, median, percentile, ratio, type Sample } from './support/statistics.ts';

const slug = 'BENCH';

/** How long PATCHes are sent, one after the other, without an import beside them. */
const aloneSeconds = 10;

/**
 * A file of new members in, the same one again, out again, another beside PATCHes of a single user, and the segment
 * deleted; beside psql's COPY of the same rows into tables with the same indexes, and out of them.
 */
export const files: Benchmark = {
  tools: ['psql'],
  async run({ server, users = 1_000_000, rounds, say }) {
    const folder = await mkdtemp(join(tmpdir(), 'segmentd-bench-files-'));
    try {
      const [ids, others] = [join(folder, 'ids.csv'), join(folder, 'others.csv')];
      await writeIds(ids, firstUserId, users);
      await writeIds(others, firstUserId + users, users);
      const samples = await interleave<'service' | 'copy', Sample>(
        {
          service: async () => logged(say, await ofService(server, ids, others, users)),
          copy: async () => logged(say, await ofCopy(server, folder, users)),
        },
        rounds,
      );
      return { setting: { users, aloneSeconds }, rounds: samples, figures: figuresOf(samples, users) };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** The peak of the process while a file is imported that nothing holds whole; without the memory of reads, which grows by what is in it. */
export const importMemory: Benchmark = {
  tools: [],
  async run({ server, users = 10_000_000, say }) {
    const folder = await mkdtemp(join(tmpdir(), 'segmentd-bench-files-'));
    try {
      const ids = join(folder, 'ids.csv');
      await writeIds(ids, firstUserId, users);
      await using database = await server.createDatabase();
      await using service = await startService(database, { CACHE: 'off' });
      await service.send('POST', '/v1/segments', { slug });
      await importFile(service, await smallFile(folder)); // what is loaded for the first import is there
      const before = await service.peakMegabytes();
      say(`importing ${users} ids`);
      const seconds = await timed(() => importFile(service, ids));
      const growth = (await service.peakMegabytes()) - before;
      const sample = { users, seconds, before, growth };
      return {
        setting: { users },
        rounds: { service: [logged(say, sample)] },
        figures: [
          {
            what: `peak memory growth, import of ${users}`,
            value: growth,
            unit: 'MB',
            of: `from ${before}`,
            aim: { atMost: 150 },
          },
          { what: `import of ${users}, CACHE=off`, value: users / seconds, unit: 'rows/s' },
        ],
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

function logged<S extends Sample>(say: (line: string) => void, sample: S): S {
  say(JSON.stringify(sample));
  return sample;
}

async function ofService(server: PostgresServer, ids: string, others: string, users: number) {
  await using database = await server.createDatabase();
  await using service = await startServiceWithSnapshot(database, 0);
  for (const name of [slug, 'PATCHED']) await service.send('POST', '/v1/segments', { slug: name });
  const importSeconds = await timed(() => importFile(service, ids));
  if ((await countRows(database, 'memberships')) !== users) throw new Error('the file is not in');
  const againSeconds = await timed(() => importFile(service, ids));
  const exportSeconds = await timed(async () => {
    const lines = await exportedLines(service);
    if (lines !== users + 1) throw new Error(`${lines} lines came out`);
  });

  const alone = await patchUntil(service, wait(aloneSeconds * 1000));
  const importing = importFile(service, others);
  const beside = await patchUntil(service, importing);
  await importing;

  await database.query('checkpoint');
  const before = await walPosition(database);
  const deleteMs = 1000 * (await timed(() => service.send('DELETE', `/v1/segments/${slug}`)));
  const deleteWalBytes = (await walPosition(database)) - before;
  return {
    importSeconds,
    againSeconds,
    exportSeconds,
    aloneP99Ms: percentile(alone, 99),
    besideP99Ms: percentile(beside, 99),
    deleteMs,
    deleteWalBytes,
  };
}

/** The same rows, sorted, into tables with the same columns and indexes; out of them again, sorted. */
async function ofCopy(server: PostgresServer, folder: string, users: number) {
  await using database = await server.createDatabase();
  {
    await using _service = await startService(database, { CACHE: 'off' }); // makes the schema
  }
  const [userRows, stays, out] = ['users.csv', 'stays.csv', 'out.csv'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeLines(userRows, firstUserId, users, (id) => `${id},2026-01-01T00:00:00Z,1\n`);
  await writeLines(
    stays,
    firstUserId,
    users,
    (id) => `${id},1,2026-01-01T00:00:00Z,infinity,2026-01-01T00:00:00Z,f,bench,import\n`,
  );
  const copyInSeconds = await timed(async () => {
    await runPsql(database, `\\copy users from '${userRows}' csv`);
    await runPsql(database, `\\copy memberships from '${stays}' csv`);
  });
  await database.query('vacuum (analyze) memberships');
  const copyOutSeconds = await timed(() =>
    runPsql(database, `\\copy (select user_id from memberships where segment_id = 1 order by user_id) to '${out}' csv`),
  );
  if ((await stat(out)).size < users * 9) throw new Error('COPY did not write all');
  return { copyInSeconds, copyOutSeconds };
}

function figuresOf({ service, copy }: Record<'service' | 'copy', readonly Sample[]>, users: number): Figure[] {
  const of = (name: string) => figureOf(service, name);
  const compare = (name: string, rival: string) => ({
    value: ratio(of(name), figureOf(copy, rival)),
    of: `${median(of(name)).toFixed(2)} s / ${median(figureOf(copy, rival)).toFixed(2)} s`,
  });
  return [
    { what: `import of ${users} new over COPY`, ...compare('importSeconds', 'copyInSeconds'), aim: { atMost: 3 } },
    { what: `import of ${users} new`, value: users / median(of('importSeconds')), unit: 'rows/s', aim: { atLeast: 120_000 } },
    { what: 'the same file again', value: users / median(of('againSeconds')), unit: 'rows/s', aim: { atLeast: 250_000 } },
    { what: `export of ${users} over COPY out`, ...compare('exportSeconds', 'copyOutSeconds'), aim: { atMost: 1.5 } },
    {
      what: 'PATCH p99 beside an import over alone',
      value: ratio(of('besideP99Ms'), of('aloneP99Ms')),
      of: `${median(of('besideP99Ms')).toFixed(1)} ms / ${median(of('aloneP99Ms')).toFixed(1)} ms`,
      aim: { atMost: 5 },
    },
    { what: `deleting a segment of ${2 * users}`, value: median(of('deleteMs')), unit: 'ms', aim: { atMost: 50 } },
    { what: `its WAL`, value: median(of('deleteWalBytes')) / 1000, unit: 'kB', aim: { atMost: 100 } },
  ];
}

async function importFile(service: Service, path: string): Promise<void> {
  const sent = {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'text/csv' },
    body: await openAsBlob(path),
  };
  const answer = await fetch(`${service.url}/v1/segments/${slug}/imports?operation=add`, sent);
  const { id } = (await answer.json()) as { id: string };
  if (answer.status !== 202) throw new Error(`an import was answered ${answer.status}`);
  for (;;) {
    const job = JSON.parse((await service.send('GET', `/v1/imports/${id}`)).text) as { state: string; rejected: number };
    if (job.state === 'done' && job.rejected === 0) return;
    if (job.state !== 'running') throw new Error(`an import came to ${JSON.stringify(job)}`);
    await wait(20);
  }
}

async function exportedLines(service: Service): Promise<number> {
  const headers = { authorization: `Bearer ${key}`, accept: 'text/csv' };
  const { body } = await fetch(`${service.url}/v1/segments/${slug}/members`, { headers });
  return countLines(body!);
}

/** One user in and out, one request after the other; how long each took, in milliseconds. */
async function patchUntil(service: Service, ended: Promise<unknown>): Promise<number[]> {
  const over = new AbortController();
  void ended.then(
    () => over.abort(),
    () => over.abort(),
  );
  const times: number[] = [];
  for (let n = 0; !over.signal.aborted; n++) {
    const change = n % 2 === 0 ? { add: ['PATCHED'] } : { remove: ['PATCHED'] };
    times.push(1000 * (await timed(() => service.send('PATCH', '/v1/users/patched/segments', change))));
  }
  return times;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function walPosition(database: BenchDatabase): Promise<number> {
  const [row] = await database.query<{ at: string }>(`select (pg_current_wal_insert_lsn() - '0/0')::text as at`);
  return Number(row!.at);
}

/** The ids in an order that is none, but the same each time: i times an odd number over a power of two, those in range. */
const writeIds = (path: string, first: number, count: number) => {
  const size = 2 ** Math.ceil(Math.log2(count));
  return pipeline(function* () {
    let piece = '';
    for (let i = 0; i < size; i++) {
      const shuffled = Math.imul(i, 0x9e3779b1) & (size - 1);
      if (shuffled < count) piece += `${first + shuffled}\n`;
      if (piece.length > 65_536) {
        yield piece;
        piece = '';
      }
    }
    yield piece;
  }, createWriteStream(path));
};

const writeLines = (path: string, first: number, count: number, line: (id: number) => string) =>
  pipeline(function* () {
    for (let i = 0; i < count; i += 1_000) {
      yield Array.from({ length: Math.min(1_000, count - i) }, (_, n) => line(first + i + n)).join('');
    }
  }, createWriteStream(path));

async function smallFile(folder: string): Promise<string> {
  const path = join(folder, 'few.csv');
  await writeIds(path, 1, 20_000);
  return path;
}
