import { failureOf } from '../db/failures.ts';
import { Problem } from '../http/problem.ts';
import type { FactsNow, Lookup, MaybePromise, Reader, UserRead } from './reader.ts';

export interface Freshness {
  /** The answer comes from the database. */
  readonly lastRevision?: boolean;
  /** The answer holds every change up to this revision. Default 0: any. */
  readonly minRevision?: number;
}

export type ReadingService = ReturnType<typeof readingService>;

/** Picks the reader by the freshness asked for: what is held nearby where that is fresh enough, else the database. */
export function readingService({ database, nearby }: { database: Reader; nearby: Reader | null }) {
  const asked = async <T>(answer: MaybePromise<T | undefined>): Promise<T> => {
    const read = await answer;
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

  /** Of many users what is held nearby, where that comes at once. */
  const heldOf = (userIds: readonly string[], { lastRevision = false, minRevision = 0 }: Freshness) =>
    lastRevision ? undefined : nearby?.readMany?.(userIds, minRevision);

  /** What `question` asks a reader, asked of the right one. */
  const fresh = <T>(
    question: (reader: Reader, minRevision: number) => MaybePromise<T | undefined>,
    { lastRevision = false, minRevision = 0 }: Freshness,
  ): MaybePromise<T> => {
    const ask = () => asked(question(database, minRevision));
    if (lastRevision) return ask();
    const read = nearby ? question(nearby, minRevision) : undefined;
    if (read instanceof Promise) return read.then((held) => held ?? ask()).catch(refuse);
    return read ?? ask().catch(refuse);
  };

  const segmentsOf = (userId: string, freshness: Freshness): MaybePromise<UserRead> =>
    fresh((reader, minRevision) => reader.read(userId, minRevision), freshness);

  /** The reads of users, one for each distinct user. */
  const askedOnce = (userIds: readonly string[], freshness: Freshness) => {
    const reads = new Map<string, Promise<UserRead>>();
    return userIds.map((userId) => {
      const read = reads.get(userId) ?? Promise.resolve(segmentsOf(userId, freshness));
      reads.set(userId, read);
      return read;
    });
  };

  return {
    /**
     * The segments that the user is in now. Comes at once where it is in memory. 503 `stale_read_refused` where nothing
     * fresh enough is at hand and the database is down; with `lastRevision` that is `database_unavailable`.
     */
    segmentsOf,

    /** All that decides where the user is from now on, by the same rules. */
    factsOf: (userId: string, freshness: Freshness): MaybePromise<FactsNow> =>
      fresh((reader, minRevision) => reader.factsOf(userId, minRevision), freshness),

    /** The same where memory itself holds it and it is fresh enough. Nobody is asked. */
    heldFactsOf: (userId: string): MaybePromise<FactsNow | undefined> =>
      nearby?.readMany === undefined ? undefined : nearby.factsOf(userId, 0),

    /** What memory itself holds of these users and is fresh enough. Nobody is asked. */
    heldOf,

    /** The same for many users; each distinct one is read once, in the order asked. `asOf` is that of the oldest answer. */
    async lookup(userIds: readonly string[], freshness: Freshness): Promise<Lookup> {
      const held = heldOf(userIds, freshness);
      const found = held?.every((read) => read !== undefined) ? held : await Promise.all(askedOnce(userIds, freshness));
      let [asOf, revision, ageMs] = [Infinity, 0, 0];
      for (const read of found) {
        asOf = Math.min(asOf, read.asOf);
        revision = Math.max(revision, read.revision);
        ageMs = Math.max(ageMs, read.ageMs);
      }
      return { users: userIds.map((userId, i) => ({ userId, segments: found[i]!.segments })), asOf, revision, ageMs };
    },
  };
}
