import { setTimeout as wait } from 'node:timers/promises';
import type { ClientConfig } from 'pg';
import type { Config } from '../config.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { type EmbeddedPostgres, openEmbeddedPostgres } from '../db/embedded/embedded.ts';
import { failureOf } from '../db/failures.ts';
import { onStopSignals } from './signals.ts';

/** A failure that the person at the terminal can mend: told in one line, without a stack. */
export class CommandError extends Error {}

export interface Connected {
  readonly database: Database;
  /** Ends the connections, and the embedded server where nobody else uses it. */
  close(): Promise<void>;
}

/**
 * The database that the configuration names, answering: `DATABASE_URL`, else the PostgreSQL that is embedded. A server that
 * is not up yet is waited for, with a line a try, `DATABASE_WAIT_SECONDS` long, or until the signal.
 */
export async function connect(
  config: Config,
  role: 'serve' | 'join',
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<Connected> {
  const opening = config.DATABASE_URL ? null : openEmbeddedPostgres({ dataDir: config.DATA_DIR, role, log });
  if (opening && role === 'join') releaseWhenStopped(opening);
  const embedded = await opening;
  const connection: ClientConfig = embedded
    ? { ...embedded.connection, ssl: false } // PGSSLMODE in the environment is not meant for our own socket
    : { connectionString: config.DATABASE_URL! };
  const database = openDatabase({
    connection,
    poolSize: config.DATABASE_POOL_SIZE,
    onIdleError: (error) => log(`a connection to the database broke: ${error.message}`),
  });
  const close = async () => {
    try {
      await database.close();
    } finally {
      await embedded?.release();
    }
  };
  try {
    await waitForAnswer(database, config.DATABASE_WAIT_SECONDS, log, signal);
    return { database, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A command that is broken off would else leave a server behind that nobody uses. */
function releaseWhenStopped(opening: Promise<EmbeddedPostgres>) {
  const end = () => process.exit(130);
  onStopSignals(() => void opening.then((embedded) => embedded.release()).finally(end), end);
}

/** The first answer of all: a server that refuses us will not take us later either. */
async function waitForAnswer(
  { pool }: Database,
  limitSeconds: number,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await untilAnswered(() => pool.query('select 1'), limitSeconds, log, signal);
  } catch (error) {
    if (error instanceof CommandError || signal?.aborted) throw error;
    throw new CommandError(`The database refused: ${reasonOf(error)}.`, { cause: error });
  }
}

/**
 * Asks again, with a line a try, while the database does not answer: what may be done twice. It gives up after so many
 * seconds with a `CommandError`; other failures are thrown as they are, and so is the reason of the signal.
 */
export async function untilAnswered<T>(
  ask: () => Promise<T>,
  limitSeconds: number,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<T> {
  const giveUpAt = performance.now() + limitSeconds * 1000;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      if (!failureOf(error)) throw error;
      const reason = reasonOf(error);
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0) {
        throw new CommandError(`The database did not answer within ${limitSeconds} s: ${reason}. Is DATABASE_URL right?`, {
          cause: error,
        });
      }
      log(`waiting for the database (try ${attempt}): ${reason}`);
      await wait(Math.min(1000, leftMs), undefined, signal && { signal });
    }
  }
}

/** Node joins the errors of several addresses into one without a message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
