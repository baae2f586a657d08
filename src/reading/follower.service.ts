import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseClient } from '../db/database.ts';

/** Something this process holds in memory, brought up to date from the database. */
export interface Followed {
  /**
   * Called at once when the connection is made (`isNew`), then at each wake and at least once an interval; never twice at
   * a time. A failure costs the connection; a new one is made.
   */
  refresh(client: DatabaseClient, isNew: boolean): Promise<void>;
}

export interface FollowerOptions {
  /** A connection of its own, which calls `onWake` whenever some process has announced a change. */
  readonly connect: (onWake: () => void) => Promise<DatabaseClient>;
  readonly followed: readonly Followed[];
  readonly onFailure: (error: unknown) => void;
  /** How long at most between two refreshes. Default 1,000. */
  readonly intervalMs?: number;
  /** How long at least, so that many wakes are one refresh. Default 20. */
  readonly spacingMs?: number;
}

export type Follower = ReturnType<typeof follow>;

/** After a failure the next try waits this long, twice as long after each further one, up to the interval. */
const firstPauseMs = 20;

/**
 * Keeps what this process holds near the database: woken by announcements, and by the clock in case one is lost. It goes on
 * for ever, whatever fails, until it is closed.
 */
export function follow({ connect, followed, onFailure, intervalMs = 1_000, spacingMs = 20 }: FollowerOptions) {
  const closing = new AbortController();
  let isWoken = false;
  let endPause = () => {};
  let client: DatabaseClient | undefined;
  let pauseMs = firstPauseMs;

  const wake = () => {
    isWoken = true;
    endPause();
  };
  const pause = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      if (isWoken || closing.signal.aborted) return resolve();
      const timer = setTimeout(resolve, milliseconds);
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const followOne = async () => {
    client = await connect(wake);
    for (let isNew = true; !closing.signal.aborted; isNew = false) {
      isWoken = false;
      const begunAt = performance.now();
      for (const one of followed) await one.refresh(client, isNew);
      pauseMs = firstPauseMs;
      await pause(intervalMs);
      if (isWoken) await wait(Math.max(0, begunAt + spacingMs - performance.now()));
    }
  };

  const run = async () => {
    while (!closing.signal.aborted) {
      try {
        await followOne();
      } catch (error) {
        if (!closing.signal.aborted) onFailure(error);
      }
      await client?.end().catch(() => {}); // it is given up; what it says no longer matters
      client = undefined;
      isWoken = false;
      // Not cut short by wakes: who asks while the database is down must not make this a storm of connections.
      await wait(pauseMs, undefined, { signal: closing.signal }).catch(() => {});
      pauseMs = Math.min(intervalMs, pauseMs * 2);
    }
  };
  const running = run();

  return {
    /** Asks for a refresh soon. */
    wake,

    async close(): Promise<void> {
      closing.abort();
      endPause();
      await client?.end().catch(() => {});
      await running;
    },
  };
}
