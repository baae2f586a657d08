import type { Benchmark, Figure } from './support/benchmark.ts';
import { firstUserId, populate } from './support/population.ts';
import { startServer } from './support/processes.ts';
import { type Service, startServiceWithSnapshot } from './support/service.ts';
import { figureOf, interleave, median, ratio } from './support/statistics.ts';
import { type HttpSample, runWrk } from './support/wrk.ts';

const connections = 64;
const fewUsers = 100_000;
const defaultUsers = 1_000_000;

/**
 * The default read of the whole app beside a bare `node:http` server that answers the same bytes to the same requests.
 * With more than a million users also beside the app with a hundred thousand.
 */
export const reads: Benchmark = {
  tools: ['wrk'],
  async run({ server, users = defaultUsers, rounds, seconds, say }) {
    const isMany = users > defaultUsers;
    await using stack = new AsyncDisposableStack();
    const start = async (users: number) => {
      say(`filling in ${users} users`);
      const database = stack.use(await server.createDatabase());
      await populate(database, { users });
      return stack.use(await startServiceWithSnapshot(database, users));
    };
    const app = await start(users);
    const small = isMany ? await start(fewUsers) : undefined;
    const floor = stack.use(await startFloor(await answerOf(app, `/v1/users/${firstUserId}/segments`)));

    const round = (url: string, users: number) => () =>
      runWrk({ url, key: app.key, request: { mode: 'read' }, users, connections, seconds });
    say('measuring');
    const samples = await interleave<string, HttpSample>(
      { floor: round(floor.url, users), app: round(app.url, users), ...(small ? { few: round(small.url, fewUsers) } : {}) },
      rounds,
    );
    const figures: Figure[] = beside('default read', samples.app!, samples.floor!, { perSecond: 0.85, p99: 1.5 });
    if (samples.few) {
      figures.push({
        what: `default read at ${users} users over one at ${fewUsers}, requests a second`,
        value: ratio(figureOf(samples.app!, 'perSecond'), figureOf(samples.few, 'perSecond')),
        aim: { atLeast: 0.95 },
      });
    }
    figures.push({ what: 'most memory of the process', value: await app.peakMegabytes(), unit: 'MB' });
    return { setting: { users, ...(small ? { fewUsers } : {}), connections }, rounds: samples, figures };
  },
};

/** Requests a second and p99 over those of the floor. */
export function beside(
  what: string,
  app: readonly HttpSample[],
  floor: readonly HttpSample[],
  aims?: { perSecond: number; p99: number },
): Figure[] {
  const [served, bare] = [app, floor].map((samples) => figureOf(samples, 'perSecond')) as [number[], number[]];
  const [bytes, bareBytes] = [app, floor].map((samples) => median(figureOf(samples, 'bytesAnAnswer'))) as [number, number];
  if (Math.abs(bytes / bareBytes - 1) > 0.01) throw new Error(`answers of ${bytes} bytes are compared with ones of ${bareBytes}`);
  const [slow, bareSlow] = [app, floor].map((samples) => figureOf(samples, 'p99Ms')) as [number[], number[]];
  return [
    {
      what: `${what} over bare node:http, requests a second`,
      value: ratio(served, bare),
      of: `${Math.round(median(served))} / ${Math.round(median(bare))}`,
      ...(aims && { aim: { atLeast: aims.perSecond } }),
    },
    {
      what: `${what} over bare node:http, p99`,
      value: ratio(slow, bareSlow),
      of: `${median(slow).toFixed(2)} / ${median(bareSlow).toFixed(2)} ms`,
      ...(aims && { aim: { atMost: aims.p99 } }),
    },
  ];
}

interface Answer {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** What the app answers, without what `node:http` adds by itself. */
export async function answerOf(app: Service, path: string, body?: unknown): Promise<Answer> {
  const { text, headers } = await app.send(body === undefined ? 'GET' : 'POST', path, body);
  const own = new Set(['date', 'connection', 'keep-alive']);
  return { headers: Object.fromEntries([...headers].filter(([name]) => !own.has(name))), body: text };
}

export const startFloor = (answer: Answer) => startServer('bench/rivals/floor.ts', [], { FLOOR_ANSWER: JSON.stringify(answer) });
