import type { Moment } from '../timeline/facts.ts';

/** What PostgreSQL can hold as a timestamp without its year before Christ. Nothing of ours is older. */
const firstMoment: Moment = Date.UTC(1970, 0, 1);

/**
 * A moment for a `timestamptz` parameter. A moment from before 1970 is older than anything stored, so it is sent as
 * `-infinity`: it may only bound a search.
 */
export function momentText(moment: Moment): string {
  if (moment === Infinity) return 'infinity';
  return moment < firstMoment ? '-infinity' : new Date(moment).toISOString();
}

/** A `timestamptz` as PostgreSQL prints it with `TimeZone=UTC`, `DateStyle=ISO`: `2026-11-23 10:00:00.12+00`, `infinity`. */
export function parseMomentText(text: string): Moment {
  if (text === 'infinity') return Infinity;
  if (text === '-infinity') return -Infinity;
  if (text === last.text) return last.moment;
  const moment = parseFinite(text);
  if (moment === undefined) throw new Error(`not a whole millisecond in UTC: ${text}`);
  last = { text, moment };
  return moment;
}

/**
 * The same for rows of which nothing is taken for granted: a finer moment comes as milliseconds with a fraction, one before
 * Christ or beyond the year 9999 as NaN. So neither is a whole number.
 */
export function parseAnyMomentText(text: string): number {
  if (/^-?infinity$/.test(text)) return parseMomentText(text);
  const whole = parseFinite(text);
  if (whole !== undefined) return whole;
  const [, toMillisecond = '', rest] = /^([^.]+\.\d{3})(\d{1,3})\+00$/.exec(text) ?? [];
  return (parseFinite(`${toMillisecond}+00`) ?? NaN) + Number(`0.${rest}`);
}

/** Rows that lie together tell the same moments over and over. */
let last = { text: '', moment: NaN };

function parseFinite(text: string): Moment | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?\+00$/.exec(text);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '0'] = parts;
  return Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    Number(fraction.padEnd(3, '0')),
  );
}
