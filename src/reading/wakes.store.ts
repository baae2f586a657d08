import { setTimeout as wait } from 'node:timers/promises';
import type { Database, DatabaseClient } from '../db/database.ts';
import { failureOf } from '../db/failures.ts';

/** The channel on which processes tell each other that something changed. The notification says no more than that. */
export const channel = 'segmentd_changes';

/** Notifications at most this often: each one's commit takes a lock that all of the server's share. */
const spacingMs = 20;

/** After a notification that could not be sent. Followers look by themselves once a second. */
const retryMs = 500;

/**
 * Wakes followers, here and in other processes. A notification inside the writing transaction would make all commits wait
 * for one another (measured: 370 a second instead of 4,900), so it is sent after the commit, by itself. It may be lost;
 * followers also look by the clock.
 */
export function wakesStore(database: Database, onFailure: (error: unknown) => void = () => {}) {
  let client: Promise<DatabaseClient> | undefined;
  let isWanted = false;
  let isRunning = false;
  const closing = new AbortController();

  /** Lets go of a connection, whatever state it is in. */
  const giveUp = async (connection = client) => {
    if (client === connection) client = undefined;
    const connected = await connection?.catch(() => undefined);
    await connected?.end().catch(() => {});
  };

  const notify = async () => {
    client ??= database.connect();
    const connected = await client;
    await connected.query({ name: 'wakes.notify', text: `select pg_notify($1, '')`, values: [channel] });
  };

  const run = async () => {
    isRunning = true;
    while (isWanted && !closing.signal.aborted) {
      isWanted = false;
      try {
        await notify();
      } catch (error) {
        if (!failureOf(error)) onFailure(error);
        void giveUp();
        isWanted = true; // somebody is still to be told
        await wait(retryMs, undefined, { signal: closing.signal }).catch(() => {});
      }
      await wait(spacingMs, undefined, { signal: closing.signal }).catch(() => {});
    }
    isRunning = false;
  };

  return {
    /** To be called after a commit. Returns at once. */
    announce() {
      isWanted = true;
      if (!isRunning) void run();
    },

    /** A connection that calls `onWake` for each announcement, of this process too. */
    async listen(onWake: () => void): Promise<DatabaseClient> {
      const listening = await database.connect();
      listening.on('notification', onWake);
      try {
        await listening.query(`listen ${channel}`);
        return listening;
      } catch (error) {
        void listening.end().catch(() => {});
        throw error;
      }
    },

    async close(): Promise<void> {
      closing.abort();
      await giveUp();
    },
  };
}
