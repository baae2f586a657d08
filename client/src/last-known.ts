import { type SegmentdError, UnreachableError } from './errors.ts';
import { later } from './own-writes.ts';

/** When an answer that was given before will do. */
export interface LastKnown {
  /** How old it may be at most, in seconds, with the age it had when it came. */
  readonly maxAgeSeconds: number;
}

/** What is known of a user, and since when. */
export interface Known {
  readonly segments: readonly string[];
  readonly as_of: string;
  readonly revision: string;
  /**
   * Every change up to this revision is in it: what was asked for. `revision` promises no such thing: it may be that of
   * another user of the same lookup, or of a change that the answer just missed.
   */
  readonly reached: string | undefined;
  /** By the clock of `performance.now()`: when every change of before was in it. */
  readonly asOfMs: number;
}

/** Of how many users an answer is kept. */
const keptUsers = 10_000;

/** The last answers, of those reads that may need them. */
export function knownUsers() {
  const byUser = new Map<string, Known>();

  return {
    keep(userId: string, known: Known): void {
      byUser.delete(userId);
      byUser.set(userId, known);
      const [oldest] = byUser.keys();
      if (byUser.size > keptUsers && oldest !== undefined) byUser.delete(oldest);
    },

    /** What was last known of the user, if it is young enough and has reached that revision. */
    find(userId: string, { maxAgeSeconds }: LastKnown, least: string | undefined): Known | undefined {
      const known = byUser.get(userId);
      if (!known || performance.now() - known.asOfMs > maxAgeSeconds * 1000) return undefined;
      return least === undefined || later(known.reached, least) === known.reached ? known : undefined;
    },
  };
}

/** Whether nobody could answer, as against somebody who refused. */
export const isSilence = (error: unknown): boolean => error instanceof UnreachableError || (error as SegmentdError).status >= 500;
