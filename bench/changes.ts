import type { Benchmark, Figure } from './support/benchmark.ts';
import { runPgbench } from './support/pgbench.ts';
import { countRows, firstUserId, populate, slugOf } from './support/population.ts';
import type { BenchDatabase } from './support/postgres.ts';
import { BenchError } from './support/processes.ts';
import { key, startServiceWithSnapshot } from './support/service.ts';
import { inPgbench, recordStatements, statementNamed } from './support/statements.ts';
import { figureOf, interleave, median, ratio, type Sample } from './support/statistics.ts';
import { runWrk } from './support/wrk.ts';

const clientNumbers = [16, 64] as const;
const aims = { 16: 1.3, 64: 2 };

/** Two segments in and one out: everybody is in the first five, and nobody is changed twice. */
const body = { add: [slugOf(6), slugOf(7)], remove: [slugOf(1)] };

/** No server is known to make so many changes a second; each round gets users for as many. */
const mostPerSecond = 16_000;

/**
 * PATCHes over HTTP beside pgbench running the statements that they are made of, one user a call, and beside a single
 * INSERT. The two sides have a copy of the same database each, so neither follows the other's changes.
 */
export const changes: Benchmark = {
  tools: ['wrk', 'pgbench'],
  async run({ server, users: asked, rounds, seconds, say }) {
    const perRound = mostPerSecond * seconds;
    const users = asked ?? perRound * (rounds + 1) * clientNumbers.length;
    const spareId = String(firstUserId + users);
    say(`filling in ${users} users, twice`);
    await using served = await server.createDatabase();
    await populate(served, { users, sets: 'same', spare: 1 });
    await using bare = await server.createDatabase(served);
    await bare.query('create table inserted (like memberships including all)');
    await bare.query('insert into inserted select * from memberships');
    await bare.query('vacuum (freeze, analyze) inserted');
    const scripts = await scriptsOf(bare, spareId, users);
    await bare.query('checkpoint');
    await using app = await startServiceWithSnapshot(served, users);

    let [changed, applied] = [0, 0];
    /** The next users that nobody has changed, of one side. */
    const take = (taken: number) => {
      if (taken + perRound > users) throw new BenchError(`${users} users are too few: give --users ${taken + perRound} or more`);
      return taken;
    };
    const overHttp = (connections: number) => async () => {
      const first = take(changed);
      changed += perRound;
      const request = { mode: 'change', body: JSON.stringify(body), first } as const;
      const before = await countRows(served, 'past_memberships');
      const sample = await runWrk({ url: app.url, key, request, users, connections, seconds });
      const ended = (await countRows(served, 'past_memberships')) - before;
      // Those under way when the time was up are done and not counted.
      if (ended < sample.requests || ended > sample.requests + connections) {
        throw new Error(`${sample.requests} PATCHes were answered and ${ended} memberships ended`);
      }
      return sample;
    };
    const inDatabase = (clients: number) => async () => {
      const first = take(applied);
      applied += perRound;
      const before = await countRows(bare, 'past_memberships');
      const sample = await runPgbench({
        database: bare,
        script: scripts.change,
        variables: { n: -1, first, clients },
        clients,
        seconds,
      });
      const ended = (await countRows(bare, 'past_memberships')) - before;
      if (ended !== sample.requests) throw new Error(`pgbench made ${sample.requests} changes and ${ended} memberships ended`);
      return sample;
    };
    const inserting = (clients: number) => () => runPgbench({ database: bare, script: scripts.insert, clients, seconds });

    say('measuring');
    const samples = await interleave<string, Sample>(
      Object.fromEntries(
        clientNumbers.flatMap((clients) => [
          [`patch${clients}`, overHttp(clients)],
          [`statements${clients}`, inDatabase(clients)],
          [`insert${clients}`, inserting(clients)],
        ]),
      ),
      rounds,
    );
    return {
      setting: { users, body: JSON.stringify(body), changeInPgbench: scripts.change, insertInPgbench: scripts.insert },
      rounds: samples,
      figures: clientNumbers.flatMap((clients) => figuresAt(clients, samples)),
    };
  },
};

/** Recorded from a PATCH of a user that nobody else changes; all users are alike, so what was decided for one fits any. */
async function scriptsOf(bare: BenchDatabase, spareId: string, users: number) {
  const sent = await recordStatements(bare.where, { method: 'PATCH', url: `/v1/users/${spareId}/segments`, body });
  const [read, write] = ['facts.current', 'memberships.apply'].map((name) => inPgbench(statementNamed(sent, name), spareId));
  const change = [
    String.raw`\set n :n + 1`,
    String.raw`\set user ${firstUserId} + permute(:first + :n * :clients + :client_id, ${users}, 1)`,
    read,
    write,
    '',
  ].join('\n');
  const insert = `\\set user random(${firstUserId}, ${firstUserId + users - 1})
insert into inserted (user_id, segment_id, starts_at, ends_at, since, excluded, begun_by, begun_cause) values (:user, 0, clock_timestamp(), 'infinity', now(), false, 'bench', 'request');
`;
  return { change, insert };
}

function figuresAt(clients: (typeof clientNumbers)[number], samples: Record<string, readonly Sample[]>): Figure[] {
  const perSecond = (name: string) => figureOf(samples[`${name}${clients}`]!, 'perSecond');
  const compare = (under: string) => ({
    value: ratio(perSecond('patch'), perSecond(under)),
    of: `${Math.round(median(perSecond('patch')))} / ${Math.round(median(perSecond(under)))}`,
  });
  return [
    {
      what: `PATCH over its statements in pgbench, ${clients} clients`,
      ...compare('statements'),
      aim: { atLeast: aims[clients] },
    },
    { what: `PATCH over one INSERT in pgbench, ${clients} clients`, ...compare('insert') },
    { what: `PATCH, p99, ${clients} clients`, value: median(figureOf(samples[`patch${clients}`]!, 'p99Ms')), unit: 'ms' },
  ];
}
