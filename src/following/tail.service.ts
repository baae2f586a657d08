import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseClock } from '../db/clock.ts';
import type { DatabaseClient } from '../db/database.ts';
import { Problem } from '../http/problem.ts';
import type { Follower } from '../reading/follower.service.ts';
import type { SettledStore } from '../reading/settled.store.ts';
import type { Moment } from '../timeline/facts.ts';
import type { Batch } from './batch.ts';
import type { HappeningsStore } from './happenings.store.ts';
import type { PagesService } from './pages.service.ts';
import { endOf } from './position.ts';
import { type Recent, recentFrom } from './recent.ts';

/** Somebody who is told of what comes. */
export interface Listener {
  /** There is more in `recent`: this, and at first all that it begins with. */
  news(batch?: Batch): void;
  /** The database is another one, or went back: nothing follows on what was told. */
  end(): void;
}

export interface TailParts {
  /** Calls `refresh` on a connection of its own at each wake, and twice a second; `onWake` hears of commits, here and elsewhere. */
  readonly follow: (onWake: () => void, refresh: (client: DatabaseClient, isNew: boolean) => Promise<void>) => Follower;
  readonly store: HappeningsStore;
  readonly pages: PagesService;
  readonly settled: SettledStore;
  readonly clock: DatabaseClock;
}

export type TailService = ReturnType<typeof tailService>;

/** So long before the settled moment it begins: whoever was cut by a restart finds the place in memory, and asks nobody. */
const beforehandMs = 10_000;

/** How often it looks by itself, in case a notification is lost. */
export const intervalMs = 500;

/**
 * What was committed a moment ago is not settled yet: it is looked for after so long, and twice as long each time that no
 * moment was settled since, as behind a clock that was set back, or a write that hangs.
 */
const unsettledMs = 3;

/** Without a reader it goes on for so long. */
const lingerMs = 5_000;

/** Telling everybody takes at most this part of the process. */
const restFactor = 3;

/**
 * The end of the stream as it grows: one loop a process, however many readers, and none without them. It is woken by
 * commits, here and elsewhere, and by the clock when the next stay ends or begins by itself.
 */
export function tailService({ follow, store, pages, settled, clock }: TailParts) {
  const listeners = new Set<Listener>();
  let recent: Recent | undefined;
  let follower: Follower | undefined;
  let closing: Promise<unknown> = Promise.resolve();
  let lingering: NodeJS.Timeout | undefined;
  let alarm: NodeJS.Timeout | undefined;
  /** The moment that must be settled before it may rest. */
  let wanted: Moment = 0;
  let seenUpTo: Moment = 0;
  let pauseMs = unsettledMs;

  const look = () => follower?.wake();
  const lookIn = (ms: number, forMoment: Moment = wanted) => {
    clearTimeout(alarm);
    if (ms > intervalMs) return; // by then it has looked again
    alarm = setTimeout(() => {
      wanted = Math.max(wanted, forMoment);
      look();
    }, ms);
  };

  const everybody = (tell: (listener: Listener) => void) => {
    for (const listener of listeners) tell(listener);
  };

  /** Where it begins, and where it begins again when what it has told is of another history. */
  const begin = async (client: DatabaseClient, upTo: Moment): Promise<Recent> => {
    const from = endOf(upTo - beforehandMs);
    const { goneUpTo } = await store.read(client, from, from.at);
    return recentFrom(goneUpTo < from.at ? from : endOf(upTo));
  };

  const catchUp = async (client: DatabaseClient, upTo: Moment): Promise<Moment> => {
    if (recent && upTo < recent.end().at) {
      recent = undefined;
      everybody((listener) => listener.end());
    }
    const isFirst = !recent;
    const told = (recent ??= await begin(client, upTo));
    if (isFirst) everybody((listener) => listener.news());
    for (;;) {
      const { batch, isLast, nextAt } = await pages.read(client, told.end(), upTo);
      told.add(batch);
      if (batch.events.length > 0 || batch.userIds.size > 0) {
        const startedAt = performance.now();
        everybody((listener) => listener.news(batch));
        await wait((performance.now() - startedAt) * restFactor);
      }
      if (isLast) return nextAt;
    }
  };

  const refresh = async (client: DatabaseClient, isNew: boolean) => {
    await closing; // of the one before
    if (isNew) {
      wanted = clock.now() + 1; // what was announced before this connection listened
      await store.prepare(client);
    }
    const upTo = await settled.look();
    pauseMs = upTo > seenUpTo ? unsettledMs : Math.min(pauseMs * 2, 2 * intervalMs);
    seenUpTo = upTo;
    try {
      const nextAt = await catchUp(client, upTo);
      if (upTo < wanted) lookIn(pauseMs);
      else lookIn(nextAt - clock.now(), nextAt);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'position_gone') throw error;
      recent = undefined; // it was cut off for as long as the log is kept
      everybody((listener) => listener.end());
    }
  };

  const start = () => {
    clearTimeout(lingering);
    if (follower) return;
    follower = follow(() => (wanted = clock.now() + 1), refresh);
  };

  const stop = () => {
    clearTimeout(lingering);
    clearTimeout(alarm);
    closing = Promise.all([closing, follower?.close()]);
    follower = undefined;
    recent = undefined;
  };

  return {
    /** What is in memory; `undefined` before the database has answered. */
    recent: (): Recent | undefined => recent,

    /** Tells of what comes, until the function that this returns is called. */
    listen(listener: Listener): () => void {
      listeners.add(listener);
      start();
      return () => {
        if (listeners.delete(listener) && listeners.size === 0) lingering = setTimeout(stop, lingerMs).unref();
      };
    },

    /** How far the end lies behind the database's clock; 0 where nobody reads. */
    behindMs: (): number => (recent ? Math.max(0, clock.now() - recent.end().at) : 0),

    async close(): Promise<void> {
      stop();
      await closing;
    },
  };
}
