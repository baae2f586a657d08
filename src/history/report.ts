import { csvLines } from '../http/csv.ts';
import { momentText } from '../http/moment.ts';
import type { Event } from '../timeline/events.ts';
import type { ReportSubject } from './link.ts';

/** What happened to a user in the time of a report, oldest first. */
export interface UserEvents {
  readonly userId: string;
  readonly events: readonly Event[];
}

/** The first line of a report. */
export const reportHeader = csvLines([['user_id', 'segment', 'operation', 'at', 'cause']]);

/**
 * A user's lines, RFC 4180 with CRLF. Ids are never altered, but with `isForSpreadsheet`. Only the id can need quotes: a
 * slug's letters, an operation, a moment and a cause never do.
 */
export function reportLines(userId: string, events: readonly Event[], isForSpreadsheet: boolean): string {
  const cell = isForSpreadsheet ? spreadsheetCell(userId) : csvCell(userId);
  let lines = '';
  for (const { segment, operation, at, cause } of events) {
    lines += `${cell},${segment},${operation},${momentText(at)},${cause}\r\n`;
  }
  return lines;
}

const csvCell = (userId: string) => (/^[\w.-]+$/.test(userId) ? userId : csvLines([[userId]]).trimEnd());

/**
 * An apostrophe before what a spreadsheet would run: OWASP, "CSV Injection". Ids have no tabs and no line breaks, which are
 * on that list too. In quotes, since where the list separator is another character (`;` in much of Europe) a cell would
 * else be divided there, and the rest of it run.
 */
const spreadsheetCell = (userId: string) => `"${/^[=+\-@]/.test(userId) ? "'" : ''}${userId.replaceAll('"', '""')}"`;

/** A file name that every system takes. */
export function reportName(subject: ReportSubject, month: string): string {
  if (subject.kind === 'all') return `segmentd-${month}.csv`;
  const name = subject.kind === 'user' ? subject.userId : `segment-${subject.slug}`;
  return `segmentd-${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}-${month}.csv`;
}
