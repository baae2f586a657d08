import type { Benchmark } from './support/benchmark.ts';
import { populate, slugOf } from './support/population.ts';
import { startServiceWithSnapshot } from './support/service.ts';
import { figureOf, interleave, median, ratio } from './support/statistics.ts';
import { type HttpSample, type Request, runWrk } from './support/wrk.ts';

const connections = 64;

/** OpenFeature's question about one segment, beside our own default read of the same users by the same process. */
export const ofrep: Benchmark = {
  tools: ['wrk'],
  async run({ server, users = 1_000_000, rounds, seconds, say }) {
    say(`filling in ${users} users`);
    await using database = await server.createDatabase();
    await populate(database, { users });
    await using app = await startServiceWithSnapshot(database, users);

    const round = (request: Request) => () => runWrk({ url: app.url, key: app.key, request, users, connections, seconds });
    say('measuring');
    const samples = await interleave<'read' | 'evaluation', HttpSample>(
      { read: round({ mode: 'read' }), evaluation: round({ mode: 'evaluate', flag: slugOf(1) }) },
      rounds,
    );
    const [evaluations, reads] = [samples.evaluation, samples.read].map((one) => figureOf(one, 'perSecond')) as [
      number[],
      number[],
    ];
    return {
      setting: { users, connections },
      rounds: samples,
      figures: [
        {
          what: 'OFREP evaluation of one flag over a default read, requests a second',
          value: ratio(evaluations, reads),
          aim: { atLeast: 0.9 },
          of: `${Math.round(median(evaluations))} / ${Math.round(median(reads))}`,
        },
      ],
    };
  },
};
