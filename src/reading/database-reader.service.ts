import type { DatabaseClock } from '../db/clock.ts';
import { invalid } from '../http/problem.ts';
import { segmentsAt } from '../timeline/segments-at.ts';
import type { FactsStore } from './facts.store.ts';
import type { Reader } from './reader.ts';

/** Reads that are always current: from the database, gathered with whoever else asks. Always answers. */
export function databaseReader(facts: FactsStore, clock: DatabaseClock): Reader {
  const current = async (userId: string, minRevision: number) => {
    const read = await facts.current(userId);
    if (minRevision > read.revision)
      throw invalid('min_revision', `is later than the database's clock, ${read.revision}; got ${minRevision}.`);
    return read;
  };

  return {
    async read(userId, minRevision) {
      const read = await current(userId, minRevision);
      return { segments: segmentsAt(read.facts, clock.now()), asOf: read.asOf, revision: read.revision, ageMs: 0 };
    },

    async factsOf(userId, minRevision) {
      const read = await current(userId, minRevision);
      return { facts: read.facts, now: clock.now(), ageMs: 0 };
    },
  };
}
