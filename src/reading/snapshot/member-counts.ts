import type { Moment } from '../../timeline/facts.ts';
import { eachInclude, type Words } from './words.ts';

/**
 * How many users are in each segment by hand, kept up with the table: what is said of a user is added, and taken off before
 * something else is said. What begins or ends at a moment to come waits by the second, so an import of a million users with
 * one end is one entry, and a count is at most a second late about it.
 */
export class MemberCounts {
  #counts = new Float64Array(64);
  /** By second: the change of each segment then. */
  #coming = new Map<number, Map<number, number>>();
  /** The first of these seconds; nothing comes before it. */
  #next = Infinity;

  /** Adds what these words say of a user as seen at the moment; with -1 it is taken off again. */
  change(words: Words, from: number, to: number, by: 1 | -1, now: Moment): void {
    eachInclude(words, from, to, (segmentId, startsAt, endsAt) => {
      this.#at(segmentId, startsAt, by, now);
      if (endsAt < Infinity) this.#at(segmentId, endsAt, -by, now);
    });
  }

  /** How many are in the segment by hand at the moment. */
  of(segmentId: number, now: Moment): number {
    if (this.#next * 1000 <= now) this.#arrive(now);
    return this.#counts[segmentId] ?? 0;
  }

  #at(segmentId: number, moment: Moment, by: number, now: Moment): void {
    if (moment <= now) return this.#add(segmentId, by);
    const second = Math.ceil(moment / 1000);
    let changes = this.#coming.get(second);
    if (!changes) this.#coming.set(second, (changes = new Map()));
    const sum = (changes.get(segmentId) ?? 0) + by;
    if (sum === 0) changes.delete(segmentId);
    else changes.set(segmentId, sum);
    if (changes.size === 0) this.#coming.delete(second);
    this.#next = Math.min(this.#next, second);
  }

  #add(segmentId: number, by: number): void {
    if (segmentId >= this.#counts.length) {
      const wider = new Float64Array(Math.max(segmentId + 1, this.#counts.length * 2));
      wider.set(this.#counts);
      this.#counts = wider;
    }
    this.#counts[segmentId]! += by;
  }

  /** What was to come by the moment has come. */
  #arrive(now: Moment): void {
    this.#next = Infinity;
    for (const [second, changes] of this.#coming) {
      if (second * 1000 > now) {
        this.#next = Math.min(this.#next, second);
        continue;
      }
      for (const [segmentId, by] of changes) this.#add(segmentId, by);
      this.#coming.delete(second);
    }
  }
}
