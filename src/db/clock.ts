import type { Moment } from '../timeline/facts.ts';

/** An instant of this process, in milliseconds of both its clocks: the monotonic one stands still while a machine sleeps. */
export interface Mark {
  readonly monotonic: number;
  readonly wall: number;
}

/** An estimate of the database's clock that never decreases: one a process, by which every reader judges. */
export interface DatabaseClock {
  /** To be taken before a question is sent, for `observe`. */
  mark(): Mark;
  /** Tells the clock what the database said of its own, in microseconds, to a question sent at `sentAt` (default: now). */
  observe(microseconds: number, sentAt?: Mark): void;
  /** Tells the clock of a moment that the database's has passed, learnt from another process: it is not judged by an earlier one. */
  passed(moment: Moment): void;
  /** Never later than the database's clock, but for the drift between two machines since its last answer. */
  now(): Moment;
  /**
   * How many milliseconds have passed since a moment of the database's clock, at most: the way of the last answer counts in
   * full, and so does the time that this machine slept. `Infinity` before the first answer. A wall clock that is set
   * forward makes it too large until the next answer, so that reads ask the database, and one set back changes nothing.
   */
  ageOf(moment: Moment): number;
}

interface Clocks {
  readonly monotonic: () => number;
  readonly wall: () => number;
}

const ownClocks: Clocks = { monotonic: () => performance.now(), wall: () => Date.now() };

/**
 * The estimate is the newest answer of the database plus the monotonic time since it came, and at least every earlier
 * estimate. So it stands still rather than run ahead, and an expired membership never comes back. It reads 0 before the
 * first answer.
 */
export function databaseClock({ monotonic, wall }: Clocks = ownClocks): DatabaseClock {
  let anchor = 0;
  let anchoredAt = 0;
  let askedAt: Mark = { monotonic: 0, wall: 0 };
  let latest = 0;
  const mark = () => ({ monotonic: monotonic(), wall: wall() });
  return {
    mark,
    observe(microseconds, sentAt = mark()) {
      // A late answer may move the anchor back, but what the database has said once is not unsaid.
      latest = Math.max(latest, Math.floor(microseconds / 1000));
      anchor = microseconds / 1000;
      anchoredAt = monotonic();
      askedAt = sentAt;
    },
    passed(moment) {
      latest = Math.max(latest, moment);
    },
    now() {
      const estimate = anchor === 0 ? 0 : Math.floor(anchor + monotonic() - anchoredAt);
      latest = Math.max(latest, estimate);
      return latest;
    },
    ageOf(moment) {
      if (anchor === 0) return Infinity;
      return Math.max(0, anchor + Math.max(monotonic() - askedAt.monotonic, wall() - askedAt.wall) - moment);
    },
  };
}
