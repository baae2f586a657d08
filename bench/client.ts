import { createClient } from '../client/src/index.ts';
import type { Benchmark } from './support/benchmark.ts';
import { firstUserId, populate, slugOf } from './support/population.ts';
import { number } from './support/results.ts';
import { startServiceWithSnapshot } from './support/service.ts';
import { figureOf, interleave, median, percentile, ratio } from './support/statistics.ts';

const questions = 1_000;

/** A thousand questions of one tick through the client, beside one bare `fetch` of the lookup that it makes of them. */
export const client: Benchmark = {
  tools: [],
  async run({ server, users = 100_000, rounds, seconds, say }) {
    say(`filling in ${users} users`);
    await using database = await server.createDatabase();
    await populate(database, { users });
    await using service = await startServiceWithSnapshot(database, users);
    const ids = Array.from({ length: questions }, (_, i) => String(firstUserId + i));
    const asking = createClient({ url: service.url, key: service.key });
    const headers = { authorization: `Bearer ${service.key}`, 'content-type': 'application/json' };

    const askClient = async (): Promise<number> => {
      const answers = await Promise.all(ids.map((userId) => asking.isIn(userId, slugOf(1))));
      return answers.filter(Boolean).length;
    };
    const askBare = async (): Promise<number> => {
      const body = JSON.stringify({ user_ids: ids });
      const answer = await fetch(`${service.url}/v1/lookup`, { method: 'POST', headers, body });
      const { users } = (await answer.json()) as { users: { segments: string[] | null }[] };
      return users.filter(({ segments }) => segments?.includes(slugOf(1))).length;
    };
    if ((await askClient()) !== (await askBare())) throw new Error('the client and the bare lookup found different users');

    say('measuring');
    const samples = await interleave({ bare: () => round(askBare, seconds), client: () => round(askClient, seconds) }, rounds);
    const [bare, clients] = [figureOf(samples.bare, 'p50Ms'), figureOf(samples.client, 'p50Ms')];
    return {
      setting: { users, questions },
      rounds: samples,
      figures: [
        { what: '1,000 isIn of one tick, p50', value: median(clients), unit: 'ms', aim: { atMost: 5 } },
        { what: '1,000 isIn of one tick, p99', value: median(figureOf(samples.client, 'p99Ms')), unit: 'ms' },
        {
          what: '1,000 isIn of one tick over a bare fetch of the lookup, p50',
          value: ratio(clients, bare),
          of: `${number(median(clients))} / ${number(median(bare))} ms`,
        },
      ],
    };
  },
};

/** One after the other for so long. */
async function round(ask: () => Promise<number>, seconds: number) {
  const times: number[] = [];
  for (const endsAt = performance.now() + seconds * 1000; performance.now() < endsAt;) {
    const startedAt = performance.now();
    await ask();
    times.push(performance.now() - startedAt);
  }
  return { calls: times.length, p50Ms: percentile(times, 50), p99Ms: percentile(times, 99) };
}
