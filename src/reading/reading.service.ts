import { failureOf } from '../db/failures.ts';
import { Problem } from '../http/problem.ts';
import type { Lookup, MaybePromise, Reader, UserRead } from './reader.ts';

export interface Freshness {
  /** The answer comes from the database. */
  readonly lastRevision?: boolean;
  /** The answer holds every change up to this revision. Default 0: any. */
  readonly minRevision?: number;
}

export type ReadingService = ReturnType<typeof readingService>;

/** Picks the reader by the freshness asked for: what is held nearby where that is fresh enough, else the database. */
export function readingService({ database, nearby }: { database: Reader; nearby: Reader | null }) {
  const ask = async (userId: string, minRevision: number): Promise<UserRead> => {
    const read = await database.read(userId, minRevision);
    if (!read) throw new Error('the database reader always answers');
    return read;
  };

  /** Nothing nearby is fresh enough, and the database is down: no answer rather than a wrong one. */
  const refuse = (error: unknown): never => {
    if (failureOf(error) !== 'unavailable') throw error;
    throw new Problem('stale_read_refused', 'Nothing fresh enough is at hand, and the database does not answer. Ask again.', {
      cause: error,
    });
  };

  const segmentsOf = (userId: string, { lastRevision = false, minRevision = 0 }: Freshness): MaybePromise<UserRead> => {
    if (lastRevision) return ask(userId, minRevision);
    const read = nearby?.read(userId, minRevision);
    if (read instanceof Promise) return read.then((held) => held ?? ask(userId, minRevision)).catch(refuse);
    return read ?? ask(userId, minRevision).catch(refuse);
  };

  return {
    /**
     * The segments that the user is in now. Comes at once where it is in memory. 503 `stale_read_refused` where nothing
     * fresh enough is at hand and the database is down; with `lastRevision` that is `database_unavailable`.
     */
    segmentsOf,

    /** The same for many users; each distinct one is read once, in the order asked. `asOf` is that of the oldest answer. */
    async lookup(userIds: readonly string[], freshness: Freshness): Promise<Lookup> {
      if (!freshness.lastRevision) nearby?.prefetch?.(userIds);
      const asked = new Map<string, MaybePromise<UserRead>>();
      for (const userId of userIds) if (!asked.has(userId)) asked.set(userId, segmentsOf(userId, freshness));
      const found = new Map<string, UserRead>();
      const waiting: Promise<void>[] = [];
      for (const [userId, read] of asked) {
        if (read instanceof Promise) waiting.push(read.then((one) => void found.set(userId, one)));
        else found.set(userId, read);
      }
      if (waiting.length > 0) await Promise.all(waiting);
      let [asOf, revision, ageMs] = [Infinity, 0, 0];
      for (const read of found.values()) {
        asOf = Math.min(asOf, read.asOf);
        revision = Math.max(revision, read.revision);
        ageMs = Math.max(ageMs, read.ageMs);
      }
      return { users: userIds.map((userId) => ({ userId, segments: found.get(userId)!.segments })), asOf, revision, ageMs };
    },
  };
}
