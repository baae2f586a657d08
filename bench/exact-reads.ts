import type { Benchmark, Figure } from './support/benchmark.ts';
import { runPgbench } from './support/pgbench.ts';
import { firstUserId, populate } from './support/population.ts';
import { startServer } from './support/processes.ts';
import { key, startServiceWithSnapshot } from './support/service.ts';
import { inPgbench, recordStatements, statementNamed } from './support/statements.ts';
import { figureOf, interleave, median, ratio, type Sample } from './support/statistics.ts';
import { runWrk } from './support/wrk.ts';

const pgbenchClients = 10;
const manyConnections = 64;

/**
 * Reads with `last_revision=true`, which gather into few queries, beside the same statement in pgbench (one id, prepared),
 * and beside the same route with one query a request over a pool of ten.
 */
export const exactReads: Benchmark = {
  tools: ['wrk', 'pgbench'],
  async run({ server, users = 1_000_000, rounds, seconds, say }) {
    say(`filling in ${users} users`);
    await using database = await server.createDatabase();
    await populate(database, { users });
    await using app = await startServiceWithSnapshot(database, users);
    await using plain = await startServer('bench/rivals/plain-pool.ts', [], { DATABASE_URL: database.url });

    const query = '?last_revision=true';
    const userId = String(firstUserId);
    const sent = await recordStatements(database.where, { method: 'GET', url: `/v1/users/${userId}/segments${query}` });
    const statement = statementNamed(sent, 'facts.current');
    const script = `\\set user random(${firstUserId}, ${firstUserId + users - 1})\n${inPgbench(statement, userId)}\n`;

    const overHttp = (url: string, connections: number) => () =>
      runWrk({ url, key, request: { mode: 'read', query }, users, connections, seconds });
    say('measuring');
    const samples = await interleave<string, Sample>(
      {
        pgbench: () => runPgbench({ database, script, clients: pgbenchClients, seconds }),
        app10: overHttp(app.url, pgbenchClients),
        plain10: overHttp(`${plain.url}/plain`, pgbenchClients),
        app64: overHttp(app.url, manyConnections),
        plain64: overHttp(`${plain.url}/plain`, manyConnections),
      },
      rounds,
    );
    const compare = (what: string, over: string, under: string, atLeast?: number): Figure => {
      const [above, below] = [over, under].map((name) => figureOf(samples[name]!, 'perSecond')) as [number[], number[]];
      return {
        what,
        value: ratio(above, below),
        of: `${Math.round(median(above))} / ${Math.round(median(below))}`,
        ...(atLeast !== undefined && { aim: { atLeast } }),
      };
    };
    return {
      setting: { users, pgbenchClients, poolSize: 10, statement: script },
      rounds: samples,
      figures: [
        compare('last_revision read over pgbench select-only, 10 clients each', 'app10', 'pgbench', 0.6),
        compare('the same, 64 connections over 10 clients', 'app64', 'pgbench'),
        compare('last_revision read over a plain pool of 10, 64 connections', 'app64', 'plain64', 1.8),
        compare('the same, 10 connections', 'app10', 'plain10'),
      ],
    };
  },
};
