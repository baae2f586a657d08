import { tmpdir } from 'node:os';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Benchmark } from './support/benchmark.ts';
import { membershipsAUser, populate } from './support/population.ts';
import { runPsql } from './support/psql.ts';
import { countLines, timed } from './support/timing.ts';
import { startService } from './support/service.ts';
import { figureOf, interleave, median, ratio, type Sample } from './support/statistics.ts';

const month = '2026-03';

/** A month of everybody in which each membership began and ended, beside psql's COPY of the same rows out, sorted by user. */
export const report: Benchmark = {
  tools: ['psql'],
  async run({ server, users = 1_000_000, rounds, say }) {
    const folder = await mkdtemp(join(tmpdir(), 'segmentd-bench-report-'));
    try {
      say(`filling in ${users} users`);
      await using database = await server.createDatabase();
      await populate(database, { users });
      await database.query(`update segments set created_at = '2020-01-01'`);
      await database.query(`update rollouts set from_at = '2020-01-01'`);
      await database.query(`update users set known_since = '2026-01-01'`);
      await database.query(`insert into past_memberships (user_id, segment_id, starts_at, ends_at, since, excluded, begun_by, begun_cause, ended_by, ended_cause)
        select user_id, segment_id, s, s + (segment_id % 7 + 1) * interval '1 hour', s, false, 'bench', 'request', 'bench', 'request'
          from (select *, timestamptz '2026-03-01T00:00:00Z' + segment_id * interval '1 day' + (hashtext(user_id) & 65535) * interval '1 second' as s from memberships) m`);
      await database.query('truncate memberships');
      await database.query('update definitions set version = version + 1');
      for (const table of ['users', 'past_memberships']) await database.query(`vacuum (freeze, analyze) ${table}`);
      await using service = await startService(database, { CACHE: 'off' });
      const events = users * membershipsAUser * 2;
      const [link, small] = await Promise.all([month, '2026-02'].map(linkOf));
      await download(small!); // what is loaded for the first report is there
      const before = await service.peakMegabytes();
      const samples = await interleave<'report' | 'copy', Sample>(
        {
          report: async () => {
            let lines = 0;
            const seconds = await timed(async () => (lines = await download(link!)));
            if (lines !== events + 1) throw new Error(`${lines} lines for ${events} events`);
            const sample = { seconds, perSecond: events / seconds };
            say(JSON.stringify(sample));
            return sample;
          },
          copy: async () => {
            const out = join(folder, 'out.csv');
            const rows = `select user_id, segment_id, starts_at, ends_at, begun_cause, ended_cause from past_memberships order by user_id, starts_at`;
            const seconds = await timed(() => runPsql(database, `\\copy (${rows}) to '${out}' csv`));
            return { seconds, perSecond: events / seconds };
          },
        },
        rounds,
      );
      const growth = (await service.peakMegabytes()) - before;
      const perSecond = (name: 'report' | 'copy') => figureOf(samples[name], 'perSecond');
      return {
        setting: { users, events, month },
        rounds: samples,
        figures: [
          { what: `report of ${events} events`, value: median(perSecond('report')), unit: 'events/s', aim: { atLeast: 200_000 } },
          { what: 'the same over COPY of the rows out', value: ratio(perSecond('report'), perSecond('copy')) },
          { what: 'peak memory growth of it', value: growth, unit: 'MB', of: `from ${before}`, aim: { atMost: 100 } },
        ],
      };

      async function linkOf(of: string) {
        const { text } = await service.send('GET', `/v1/reports/history?month=${of}`);
        return (JSON.parse(text) as { url: string }).url;
      }
      async function download(url: string) {
        const { body } = await fetch(url);
        return countLines(body!);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
