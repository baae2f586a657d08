import type { Moment } from '../../timeline/facts.ts';
import { eachInclude, type Words } from './words.ts';

/**
 * How many users are in each segment by hand, kept up with the table: what is said of a user is added, and taken off before
 * something else is said. What begins or ends at a moment to come waits for it, with all that does so at the same millisecond:
 * an import of a million users with one end is one entry.
 */
export class MemberCounts {
  #counts = new Float64Array(64);
  /** Up to here all has come. It never goes back, so that what has come once is taken off as such. */
  #now = -Infinity;
  /** Of the hours that have not begun: by hour, segment and millisecond in the hour, the change then. */
  #later = new Map<number, Map<number, Map<number, number>>>();
  /** Of the others: by second, and by segment and millisecond in it. */
  #soon = new Map<number, Map<number, number>>();
  /** The seconds among these that have begun: what is left of them is looked at by the millisecond. */
  #begun = new Set<number>();
  /** Of all other seconds and hours none begins before this one. */
  #nextSecond = Infinity;
  /** Nothing waits for a moment before this one. */
  #next = Infinity;

  /** Adds what these words say of a user as seen at the moment; with -1 it is taken off again. */
  change(words: Words, from: number, to: number, by: 1 | -1, now: Moment): void {
    this.#reach(now);
    eachInclude(words, from, to, (segmentId, startsAt, endsAt) => {
      this.#at(segmentId, startsAt, by);
      if (endsAt < Infinity) this.#at(segmentId, endsAt, -by);
    });
  }

  /** How many are in the segment by hand at the moment, or at a later one that was asked for before. */
  of(segmentId: number, now: Moment): number {
    this.#reach(now);
    return this.#counts[segmentId] ?? 0;
  }

  #at(segmentId: number, moment: Moment, by: number): void {
    if (moment <= this.#now) return this.#add(segmentId, by);
    const hour = Math.floor(moment / hourMs);
    if (hour * hourMs <= this.#now) return this.#put(segmentId, moment, by);
    const segments = mapAt(this.#later, hour);
    const changes = mapAt(segments, segmentId);
    addAt(changes, moment - hour * hourMs, by);
    if (changes.size === 0) segments.delete(segmentId);
    if (segments.size === 0) this.#later.delete(hour);
    this.#nextSecond = Math.min(this.#nextSecond, hour * 3600);
    this.#next = Math.min(this.#next, hour * hourMs);
  }

  /** At a moment of an hour that has begun. */
  #put(segmentId: number, moment: Moment, by: number): void {
    const second = Math.floor(moment / 1000);
    const changes = mapAt(this.#soon, second);
    addAt(changes, segmentId * 1000 + (moment - second * 1000), by);
    if (changes.size === 0) return this.#drop(second);
    if (second * 1000 <= this.#now) this.#begun.add(second);
    else this.#nextSecond = Math.min(this.#nextSecond, second);
    this.#next = Math.min(this.#next, moment);
  }

  #add(segmentId: number, by: number): void {
    if (segmentId >= this.#counts.length) {
      const wider = new Float64Array(Math.max(segmentId + 1, this.#counts.length * 2));
      wider.set(this.#counts);
      this.#counts = wider;
    }
    this.#counts[segmentId]! += by;
  }

  #drop(second: number): void {
    this.#soon.delete(second);
    this.#begun.delete(second);
  }

  /** What was to come by the moment has come. */
  #reach(now: Moment): void {
    if (now <= this.#now) return;
    this.#now = now;
    if (now < this.#next) return;
    if (now >= this.#nextSecond * 1000) this.#begin(now);
    this.#next = this.#nextSecond * 1000;
    for (const second of this.#begun) {
      const changes = this.#soon.get(second)!;
      for (const [key, by] of changes) {
        const moment = second * 1000 + (key % 1000);
        if (moment > now) {
          this.#next = Math.min(this.#next, moment);
          continue;
        }
        this.#add(Math.floor(key / 1000), by);
        changes.delete(key);
      }
      if (changes.size === 0) this.#drop(second);
    }
  }

  /** At most once a second, since it looks at all hours, and at all seconds of those that have begun. */
  #begin(now: Moment): void {
    this.#nextSecond = Infinity;
    for (const [hour, segments] of this.#later) {
      if (hour * hourMs > now) {
        this.#nextSecond = Math.min(this.#nextSecond, hour * 3600);
        continue;
      }
      this.#later.delete(hour);
      for (const [segmentId, changes] of segments) for (const [ms, by] of changes) this.#put(segmentId, hour * hourMs + ms, by);
    }
    for (const second of this.#soon.keys())
      if (second * 1000 <= now) this.#begun.add(second);
      else this.#nextSecond = Math.min(this.#nextSecond, second);
  }
}

const hourMs = 3_600_000;

function mapAt<V>(maps: Map<number, Map<number, V>>, key: number): Map<number, V> {
  let map = maps.get(key);
  if (!map) maps.set(key, (map = new Map()));
  return map;
}

/** What comes to nothing is left out. */
function addAt(changes: Map<number, number>, key: number, by: number): void {
  const sum = (changes.get(key) ?? 0) + by;
  if (sum === 0) changes.delete(key);
  else changes.set(key, sum);
}
