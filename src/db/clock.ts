import type { Moment } from '../timeline/facts.ts';

/** An estimate of the database's clock that never decreases: one a process, by which every reader judges. */
export interface DatabaseClock {
  /** Tells the clock what the database said of its own, in microseconds. */
  observe(microseconds: number): void;
  /** Never later than the database's clock, but for the drift between two machines since its last answer. */
  now(): Moment;
}

/**
 * The estimate is the newest answer of the database plus the monotonic time since it came, and at least every earlier
 * estimate. So it stands still rather than run ahead, and an expired membership never comes back. It reads 0 before the
 * first answer.
 */
export function databaseClock(monotonicMilliseconds: () => number = () => performance.now()): DatabaseClock {
  let anchor = 0;
  let anchoredAt = 0;
  let latest = 0;
  return {
    observe(microseconds) {
      // A late answer may move the anchor back, but what the database has said once is not unsaid.
      latest = Math.max(latest, Math.floor(microseconds / 1000));
      anchor = microseconds / 1000;
      anchoredAt = monotonicMilliseconds();
    },
    now() {
      const estimate = anchor === 0 ? 0 : Math.floor(anchor + monotonicMilliseconds() - anchoredAt);
      latest = Math.max(latest, estimate);
      return latest;
    },
  };
}
