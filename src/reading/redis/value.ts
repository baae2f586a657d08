import type { Definitions, Facts, Moment } from '../../timeline/facts.ts';
import { momentOf } from '../../timeline/revision.ts';
import { type HeldStay, presentFacts } from '../present-facts.ts';

/**
 * What Redis holds of one user.
 *
 * Two values of one user are ordered by `reached`. Every change of the user or the definitions with a revision up to
 * `reached` is inside; and what is inside has a revision of at most `reached`, which is never less than the revisions of
 * the facts themselves. So of two values the one with the greater `reached` holds whatever the other holds, and a read
 * that began before a commit and comes back after it has a smaller one than what the commit put.
 */
export interface Value {
  /** The database's clock before the snapshot of the read, or the moment of the change that put it. */
  readonly asOf: Moment;
  /** In microseconds. */
  readonly reached: number;
  /** Of the definitions of that snapshot: to be judged with these or later ones. */
  readonly version: number;
  /** Current and planned ones. */
  readonly stays: readonly HeldStay[];
}

/**
 * The value of facts as they were read or are after a change. `settled`: a moment that was settled before the snapshot, so
 * that all up to it is inside; 0 where none is known.
 */
export function valueOf({ revision, definitions, stays }: Facts, asOf: Moment, settled: Moment): Value {
  const reached = Math.max(revision ?? 0, definitions.revision, settled * 1000);
  return { asOf, reached, version: definitions.version, stays };
}

/** The value of facts as a change left them. The change came after the one before it and after the definitions it rests on. */
export const valueAfter = (facts: Facts): Value => valueOf(facts, momentOf(facts.revision ?? 0), 0);

/** As Redis holds it. The script that writes it reads `reached` off the front. Another form needs another prefix of the key. */
export const encode = ({ asOf, reached, version, stays }: Value): string =>
  JSON.stringify([
    reached,
    asOf,
    version,
    stays.flatMap(({ segmentId, excluded, startsAt, endsAt }) => [
      segmentId,
      excluded ? 1 : 0,
      startsAt,
      endsAt === Infinity ? null : endsAt,
    ]),
  ]);

/** `undefined` for anything but what `encode` makes. */
export function decode(text: string): Value | undefined {
  const parts = parsed(text);
  if (!Array.isArray(parts) || parts.length !== 4) return undefined;
  const [reached, asOf, version, numbers] = parts as unknown[];
  if (!isCount(reached) || !isCount(asOf) || !isCount(version) || !Array.isArray(numbers)) return undefined;
  if (numbers.length % 4 !== 0) return undefined;
  const stays: HeldStay[] = [];
  for (let i = 0; i < numbers.length; i += 4) {
    const [segmentId, excluded, startsAt, endsAt] = numbers.slice(i, i + 4) as unknown[];
    if (!isCount(segmentId) || (excluded !== 0 && excluded !== 1) || !Number.isSafeInteger(startsAt)) return undefined;
    if (endsAt !== null && !Number.isSafeInteger(endsAt)) return undefined;
    stays.push({
      segmentId,
      excluded: excluded === 1,
      startsAt: startsAt as Moment,
      endsAt: endsAt === null ? Infinity : (endsAt as Moment),
    });
  }
  return { asOf, reached, version, stays };
}

/** What it says of the user's present, by these definitions. */
export const factsOf = (userId: string, { reached, stays }: Value, definitions: Definitions): Facts =>
  presentFacts(userId, reached, definitions, stays);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not ours, which is the answer
  }
}
