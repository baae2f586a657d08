import { narrowedTo } from '../../../src/timeline/narrowed.ts';
import { indexDefinitions } from '../../../src/timeline/definitions.ts';
import type { Definitions, Facts, Moment, Stay } from '../../../src/timeline/facts.ts';
import { momentOf } from '../../../src/timeline/revision.ts';
import type { DefinitionsChange, UserChange } from '../audit.ts';

/** How many of a sorted list are at most this. */
export function countUpTo(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * When each of a list of changes was known to have been acknowledged, and so the last of them that a read must hold which
 * holds all that was acknowledged before a moment.
 */
export class Acknowledgements {
  private readonly at: number[] = [];
  private readonly upTo: number[] = [];

  /** `entries`: the number of the change, from 1, and when its acknowledgement was there. */
  constructor(entries: readonly (readonly [number: number, at: Moment])[]) {
    let most = 0;
    for (const [number, at] of entries.toSorted((a, b) => a[1] - b[1])) {
      most = Math.max(most, number);
      this.at.push(at);
      this.upTo.push(most);
    }
  }

  /** The number of the last change that was acknowledged before the moment; 0: none. */
  before(moment: Moment): number {
    return this.upTo[countUpTo(this.at, moment - 1) - 1] ?? 0;
  }
}

/** The definitions after each of their changes. */
export class DefinitionsTimeline {
  readonly changes: readonly DefinitionsChange[];
  readonly revisions: readonly number[];
  readonly moments: readonly Moment[];
  private readonly known: Definitions[];
  acknowledged = new Acknowledgements([]);

  constructor(changes: readonly DefinitionsChange[]) {
    this.changes = changes;
    this.revisions = changes.map(({ revision }) => revision);
    this.moments = this.revisions.map(momentOf);
    const segments = new Map<number, DefinitionsChange['segment']>();
    this.known = [indexDefinitions(0, 0, [])];
    for (const { version, revision, segment } of changes) {
      segments.set(segment.id, segment);
      this.known.push(indexDefinitions(version, revision, [...segments.values()]));
    }
  }

  get count(): number {
    return this.changes.length;
  }

  get last(): Definitions {
    return this.known.at(-1)!;
  }

  /** After so many changes. */
  after(count: number): Definitions {
    return this.known[count]!;
  }

  /** How many changes there were up to a moment. */
  upTo(moment: Moment): number {
    return countUpTo(this.moments, moment);
  }

  /** Where a segment stands after so many changes with all of its group: what an import of it goes by. */
  narrowed(count: number, segmentId: number): Definitions {
    return narrowedTo(this.after(count), segmentId);
  }
}

export const keyOf = ({ segmentId, startsAt }: Stay): string => `${segmentId} ${startsAt}`;

/** All of a stay in one text; what nobody has ended is the same whoever read it. */
export const stayText = (one: Stay): string =>
  [
    one.segmentId,
    one.startsAt,
    one.endsAt,
    one.since,
    one.excluded,
    one.begunBy,
    one.begunCause,
    one.endedBy,
    one.endedCause,
  ].join(' ');

export const sameStays = (some: readonly Stay[], others: readonly Stay[]): boolean =>
  some.length === others.length && JSON.stringify(some.map(stayText).sort()) === JSON.stringify(others.map(stayText).sort());

/** A user after each change. */
export class UserTimeline {
  readonly userId: string;
  readonly changes: readonly UserChange[];
  readonly revisions: readonly number[];
  readonly moments: readonly Moment[];
  readonly definitions: DefinitionsTimeline;
  /** Every moment at which the user or the definitions changed, sorted; what a snapshot of the database holds ends at one of them. */
  readonly cuts: readonly Moment[];
  private readonly states: (readonly Stay[])[] = [[]];
  private readonly pastCounts: number[] = [0];
  readonly past: readonly Stay[];
  acknowledged = new Acknowledgements([]);

  constructor(userId: string, changes: readonly UserChange[], definitions: DefinitionsTimeline) {
    this.userId = userId;
    this.changes = changes;
    this.definitions = definitions;
    this.revisions = changes.map(({ revision }) => revision);
    this.moments = changes.map(({ moment }) => moment);
    this.cuts = [...this.moments, ...definitions.moments].sort((a, b) => a - b);
    const past: Stay[] = [];
    for (const { began, ended, past: gone } of changes) {
      const left = new Set(ended.map(keyOf));
      this.states.push([...this.states.at(-1)!.filter((stay) => !left.has(keyOf(stay))), ...began]);
      past.push(...gone);
      this.pastCounts.push(past.length);
    }
    this.past = past;
  }

  get count(): number {
    return this.changes.length;
  }

  /** Current and planned ones after so many changes. */
  stays(count: number): readonly Stay[] {
    return this.states[count]!;
  }

  /** After so many changes of the user and of the definitions; with past stays where a reason is asked for. */
  facts(count: number, definitionsCount: number, withPast = false): Facts {
    return {
      userId: this.userId,
      revision: this.revisions[count - 1] ?? null,
      definitions: this.definitions.after(definitionsCount),
      stays: withPast ? [...this.past.slice(0, this.pastCounts[count]), ...this.stays(count)] : this.stays(count),
    };
  }

  /** What one snapshot of the database holds: all up to a cut. */
  factsAt(cut: number, withPast = false): Facts {
    const moment = this.cuts[cut - 1] ?? -Infinity;
    return this.facts(countUpTo(this.moments, moment), this.definitions.upTo(moment), withPast);
  }

  /** Everything, as it is at the end. */
  final(): Facts {
    return this.facts(this.count, this.definitions.count, true);
  }
}

/** The moments from `from` to `to` at which an answer about these facts may change by itself, and `from`. */
export function momentsWithin({ stays, definitions }: Facts, from: Moment, to: Moment): Moment[] {
  const moments = new Set([from]);
  const add = (moment: Moment) => {
    if (moment > from && moment <= to) moments.add(moment);
  };
  for (const { segmentId, startsAt, endsAt } of stays) {
    add(startsAt);
    add(endsAt);
    add(definitions.byId.get(segmentId)?.deletedAt ?? Infinity);
  }
  for (const { rollouts, deletedAt } of definitions.withRollout) {
    add(deletedAt);
    for (const { startsAt } of rollouts) add(startsAt);
  }
  return [...moments];
}
