import { setTimeout as wait } from 'node:timers/promises';
import type { Database, DatabaseClient } from '../db/database.ts';
import { failureOf } from '../db/failures.ts';
import { momentOf } from '../timeline/revision.ts';
import { openClient, readClock, tryLead } from './leadership.store.ts';
import { countStrays } from './partitions.store.ts';
import type { Task } from './tasks.service.ts';
import { inTurns } from './turns.ts';

export interface RoundOptions {
  /** From the end of a round to the next. Default a minute. */
  readonly intervalMs?: number;
  /** Between two steps. Default four times what the step took, so that it takes a fifth of one connection at most. */
  readonly pause?: (workedMs: number) => Promise<void>;
}

export interface HousekeepingParts extends RoundOptions {
  readonly database: Database;
  readonly tasks: readonly Task[];
  readonly onFailure: (what: string, error: unknown) => void;
  /** Told in each round how many rows of history lie in no month of their own, also where another process does the work. */
  readonly onStrays: (rows: number) => void;
}

const shortestPauseMs = 5;

/** Longer than any pause: the server ends a connection over which nothing comes for so long. */
const idleLimitMs = 300_000;

/**
 * Moves and drops what is over, in small steps with pauses. Nothing depends on it: every answer is the same with it and
 * without, but for what is no longer kept. Of all processes on a database one does it: whose connection holds the lock.
 */
export function housekeepingService(parts: HousekeepingParts) {
  const { database, tasks, onFailure, onStrays, intervalMs = 60_000 } = parts;
  const closing = new AbortController();
  const { signal } = closing;
  const sleep = (ms: number) => wait(ms, undefined, { signal }).catch(() => {}); // cut short by close
  const { pause = (workedMs) => sleep(Math.max(shortestPauseMs, 4 * workedMs)) } = parts;
  const begunAt = new Map<string, number>();
  let client: DatabaseClient | undefined;
  let isLeading = false;
  let running: Promise<unknown> | undefined;

  const giveUp = async () => {
    const gone = client;
    client = undefined;
    isLeading = false;
    await gone?.end().catch(() => {}); // what it says no longer matters
  };

  const fail = (name: string, error: unknown) => {
    begunAt.delete(name);
    if (failureOf(error) === 'unavailable') void giveUp();
    if (!signal.aborted) onFailure(name, error);
  };

  const isDue = ({ name, everyMs = 0 }: Task) => performance.now() - (begunAt.get(name) ?? -Infinity) >= everyMs;

  const work = async (on: DatabaseClient) => {
    const now = momentOf(await readClock(on));
    const due = tasks.filter(isDue);
    for (const { name } of due) begunAt.set(name, performance.now());
    const all = due.map(({ name, steps }) => ({ name, steps: steps({ client: on, now }) }));
    await inTurns(all, { pause, isStopped: () => signal.aborted || client !== on, onFailure: fail });
  };

  const round = async (): Promise<boolean> => {
    try {
      client ??= await openClient(database, Math.max(idleLimitMs, 2 * intervalMs));
      isLeading ||= await tryLead(client);
      const hasLed = isLeading;
      if (hasLed) await work(client);
      if (client && !signal.aborted) onStrays(await countStrays(client));
      if (!hasLed || signal.aborted) await giveUp();
      return hasLed;
    } catch (error) {
      await giveUp();
      fail('a round', error);
      return false;
    }
  };

  const goOn = async () => {
    while (!signal.aborted) {
      await round();
      await sleep(intervalMs);
    }
  };

  return {
    /**
     * All that there is to do, once; false where another process does it, or where it cannot be done now. Never fails.
     * Never two at a time.
     */
    round,

    /** Rounds without an end, until it is closed. */
    start() {
      running = goOn();
    },

    /** Ends what is under way at once: a step that is not committed has not been. */
    async close(): Promise<void> {
      closing.abort();
      await giveUp();
      await running;
    },
  };
}
