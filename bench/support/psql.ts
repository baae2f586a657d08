import type { BenchDatabase } from './postgres.ts';
import { runLoad } from './processes.ts';

/** Runs commands of psql, as `\copy`, with the settings that the service's sessions have. */
export async function runPsql(database: BenchDatabase, command: string): Promise<void> {
  const args = [
    '--no-psqlrc',
    '--quiet',
    '--set',
    'ON_ERROR_STOP=1',
    '--command',
    'set statement_timeout = 0',
    '--command',
    command,
  ];
  await runLoad('psql', args, { env: await database.pgEnvironment(), limitSeconds: 900 });
}
