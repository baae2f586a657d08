import type { DatabaseClock } from '../db/clock.ts';
import { invalid } from '../http/problem.ts';
import { segmentsAt } from '../timeline/segments-at.ts';
import type { FactsStore } from './facts.store.ts';
import type { Reader } from './reader.ts';

/** Reads that are always current: from the database, gathered with whoever else asks. Always answers. */
export function databaseReader(facts: FactsStore, clock: DatabaseClock): Reader {
  return {
    async read(userId, minRevision) {
      const read = await facts.current(userId);
      if (minRevision > read.revision)
        throw invalid('min_revision', `is later than the database's clock, ${read.revision}; got ${minRevision}.`);
      return { segments: segmentsAt(read.facts, clock.now()), asOf: read.asOf, revision: read.revision, ageMs: 0 };
    },
  };
}
