import type { Moment } from '../timeline/facts.ts';

/** A calendar month in UTC, counted from year 0: a partition of `past_memberships`. */
export type Month = number;

export function monthOf(moment: Moment): Month {
  const date = new Date(moment);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

/** Its first moment. */
export const startOf = (month: Month): Moment => Date.UTC(Math.floor(month / 12), month % 12, 1);

/** `YYYY_MM`, the end of the name of its partition. */
export const monthName = (month: Month): string => new Date(startOf(month)).toISOString().slice(0, 7).replace('-', '_');

/** The month of such a name; `undefined` for any other text. */
export function parseMonth(name: string): Month | undefined {
  const [, year, month] = /^(\d{4})_(0[1-9]|1[0-2])$/.exec(name) ?? [];
  return year === undefined ? undefined : Number(year) * 12 + Number(month) - 1;
}

/** From where history is kept that goes so many full months back, besides the month that runs. */
export const keptFrom = (now: Moment, historyMonths: number): Moment => startOf(monthOf(now) - historyMonths);

/** The month that runs and those to come that are to have a partition. */
export const monthsAhead = (now: Moment, count: number): Month[] => Array.from({ length: count + 1 }, (_, i) => monthOf(now) + i);
