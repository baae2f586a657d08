import { Temporal } from 'temporal-polyfill';
import type { Moment } from '../timeline/facts.ts';

/** Half-open. */
export interface Period {
  readonly from: Moment;
  readonly to: Moment;
}

/**
 * The calendar month `YYYY-MM` in a time zone, from the first instant of its 1st to that of the next month's. That instant
 * need not be midnight: where a clock goes forward at midnight the day begins at 01:00.
 */
export function monthIn(month: string, timeZone: string): Period {
  const first = Temporal.PlainYearMonth.from(month).toPlainDate({ day: 1 });
  const startOf = (day: Temporal.PlainDate): Moment => day.toZonedDateTime(timeZone).epochMilliseconds;
  return { from: startOf(first), to: startOf(first.add({ months: 1 })) };
}

/**
 * An IANA name that this runtime's time-zone database knows. An offset such as `+03:00` is none, nor are the abbreviations
 * that V8 takes besides (`PST`): what `monthIn` can use decides.
 */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  try {
    monthIn('2000-01', name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
