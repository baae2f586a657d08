import { answerOf, beside, startFloor } from './reads.ts';
import type { Benchmark } from './support/benchmark.ts';
import { firstUserId, populate } from './support/population.ts';
import { startServiceWithSnapshot } from './support/service.ts';
import { figureOf, interleave, median } from './support/statistics.ts';
import { runWrk } from './support/wrk.ts';

const usersALookup = 1000;
const connections = 8;

/** Lookups of a thousand random users, beside a bare `node:http` server that answers the same bytes. */
export const lookup: Benchmark = {
  tools: ['wrk'],
  async run({ server, users = 1_000_000, rounds, seconds, say }) {
    say(`filling in ${users} users`);
    await using database = await server.createDatabase();
    await populate(database, { users });
    await using app = await startServiceWithSnapshot(database, users);
    const asked = { user_ids: Array.from({ length: usersALookup }, (_, i) => String(firstUserId + i)) };
    await using floor = await startFloor(await answerOf(app, '/v1/lookup', asked));

    const round = (url: string) => () => runWrk({ url, key: app.key, request: { mode: 'lookup' }, users, connections, seconds });
    say('measuring');
    const samples = await interleave({ floor: round(floor.url), app: round(app.url) }, rounds);
    return {
      setting: { users, usersALookup, connections },
      rounds: samples,
      figures: [
        {
          what: 'lookup of 1,000 users, users a second',
          value: median(figureOf(samples.app, 'perSecond')) * usersALookup,
          aim: { atLeast: 500_000 },
        },
        ...beside('lookup of 1,000 users', samples.app, samples.floor),
      ],
    };
  },
};
