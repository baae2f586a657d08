import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchDatabase } from './postgres.ts';
import { runLoad } from './processes.ts';

export interface DatabaseLoad {
  readonly database: BenchDatabase;
  /** What a client does again and again: statements and `\set`s, each ended. */
  readonly script: string;
  readonly variables?: Readonly<Record<string, number>>;
  readonly clients: number;
  readonly seconds: number;
}

/** One round on the bare database, with prepared statements. Any failed transaction fails it. */
export async function runPgbench({ database, script, variables = {}, clients, seconds }: DatabaseLoad) {
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-pgbench-'));
  try {
    const file = join(folder, 'script.sql');
    await writeFile(file, script);
    const defined = Object.entries(variables).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
    const args = ['-n', '-M', 'prepared', '-c', String(clients), '-T', String(seconds), ...defined, '-f', file];
    const output = await runLoad('pgbench', args, { env: await database.pgEnvironment(), limitSeconds: seconds + 30 });
    const [requests, perSecond, meanMs] = [
      /^number of transactions actually processed: (\d+)/m,
      /^tps = ([\d.]+)/m,
      /^latency average = ([\d.]+) ms/m,
    ].map((pattern) => Number(pattern.exec(output)?.[1]));
    if (!requests || !perSecond || /^number of failed transactions: [1-9]/m.test(output)) {
      throw new Error(`pgbench did not do what it was told: ${output}`);
    }
    return { requests, perSecond, meanMs: meanMs! };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
