import { lastMoment, type Moment } from '../timeline/facts.ts';

// RFC 3339, section 5.6. A space for the T is only a suggestion there for people, and a leap second has no moment here.
const pattern = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** The first millisecond of the year 0, the earliest that RFC 3339 can write. */
const firstMoment: Moment = Date.UTC(-1, 12, 1);

export const momentRule =
  'must be an RFC 3339 moment in whole milliseconds up to the year 9999, for example 2026-11-23T10:00:00.000Z';

/** A moment from its RFC 3339 text, any offset; `undefined` for a day that does not exist, a finer one, or one past the year 9999. */
export function parseMoment(text: string): Moment | undefined {
  const parts = pattern.exec(text);
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const fraction = (parts[7] ?? '').padEnd(3, '0');
  const offset = [Number(parts[9] ?? 0), Number(parts[10] ?? 0)] as const;
  if (/[^0]/.test(fraction.slice(3)) || hour > 23 || minute > 59 || second > 59 || offset[0] > 23 || offset[1] > 59)
    return undefined;

  const local = new Date(0);
  local.setUTCFullYear(year, month - 1, day); // Date.UTC would take the years 0 to 99 for 1900 to 1999
  if (local.getUTCMonth() !== month - 1 || local.getUTCDate() !== day) return undefined;
  local.setUTCHours(hour, minute, second, Number(fraction.slice(0, 3)));
  const moment = local.getTime() - (parts[8] === '-' ? -1 : 1) * (offset[0] * 60 + offset[1]) * 60_000;
  return moment >= firstMoment && moment <= lastMoment ? moment : undefined;
}

/** The wire form: UTC with milliseconds. The last one is kept: all reads from memory between two refreshes say the same `as_of`. */
export function momentText(moment: Moment): string {
  if (moment !== lastTold.moment) lastTold = { moment, text: new Date(moment).toISOString() };
  return lastTold.text;
}

let lastTold: { moment: Moment; text: string } = { moment: 0, text: new Date(0).toISOString() };

/** The same for an end: null where there is none. */
export const endText = (moment: Moment | null): string | null =>
  moment === null || moment === Infinity ? null : momentText(moment);
