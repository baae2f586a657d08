import type { Facts, Moment, Stay } from '../timeline/facts.ts';

/** Where a user is now, as far as a reader knows. */
export interface UserRead {
  /** Sorted. Expiry and planned starts are judged by the database's clock, whatever the age. */
  readonly segments: readonly string[];
  /** Every change acknowledged before that moment is in the answer; later ones may be. */
  readonly asOf: Moment;
  /** In microseconds: safe to ask for later with `min_revision`. */
  readonly revision: number;
  /** How old the answer is at most; 0 when the database was asked. */
  readonly ageMs: number;
}

/** All that decides where a user is from now on. */
export interface FactsNow {
  /** Of a copy: who began a stay, why and since when is not told, nor what began long ago when that was. */
  readonly facts: Facts;
  /** The moment by which to judge: the database's clock, whatever the age. */
  readonly now: Moment;
  /** As of a read. */
  readonly ageMs: number;
}

/** Where many users are. `asOf` and `ageMs` are those of the oldest answer. */
export interface Lookup extends Omit<UserRead, 'segments'> {
  /** In the order asked. */
  readonly users: readonly { readonly userId: string; readonly segments: readonly string[] }[];
}

/** What comes at once where it is in memory, so that the hot path makes no promise. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * What answers reads about the present: the database, the snapshot in memory, or Redis. Asked at one moment with the same
 * changes they answer the same.
 */
export interface Reader {
  /**
   * The segments that the user is in now, with every change that was acknowledged, or shown by a read, under a revision up to
   * `minRevision`; one that is being committed meanwhile may be missing still. `undefined` where the reader has nothing that
   * is fresh enough: then the database is to be asked. 400 for a revision that the database's clock has not reached.
   */
  read(userId: string, minRevision: number): MaybePromise<UserRead | undefined>;

  /** The same for many users at once and at one instant, in their order, where that makes it faster; `undefined` where it has none of them. */
  readMany?(userIds: readonly string[], minRevision: number): (UserRead | undefined)[] | undefined;

  /** What such a read is made from, for whoever is asked more than the names of the segments. As new, and as of the same clock. */
  factsOf(userId: string, minRevision: number): MaybePromise<FactsNow | undefined>;
}

/** A reader that holds copies of facts outside the database. */
export interface HoldingReader extends Reader {
  /**
   * To be called after a change of this process was committed and before it is acknowledged, with the user's facts as they
   * are after it, under its revision: from then on no read of this process is older. Never fails.
   */
  put(facts: Facts): MaybePromise<void>;

  /**
   * The same for users of whom only the stays in these segments are known, all of one change, where that saves reading them
   * back. Whoever cannot be told whole from what is held is left to the log.
   */
  putParts?(segmentIds: ReadonlySet<number>, revision: number, users: readonly PartlyKnown[]): void;
}

/** A user after a change that was decided on the stays in some segments alone. */
export interface PartlyKnown {
  readonly userId: string;
  /** The revision that the change was made on; null for a user whom it made. */
  readonly basedOn: number | null;
  /** By segment, then by start; ended ones may be among them. */
  readonly stays: readonly Stay[];
}
