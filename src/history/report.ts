import { csvLines } from '../http/csv.ts';
import { momentText } from '../http/moment.ts';
import type { Event } from '../timeline/events.ts';

const columns = ['user_id', 'segment', 'operation', 'at', 'cause'];

/** How many lines are made at once: enough to be quick, few enough to let others run. */
const linesAtOnce = 1_000;

/** A report as RFC 4180 with CRLF, piece by piece: a header line, then one line an event. Ids are never altered. */
export function* reportCsv(userId: string, events: readonly Event[]): Generator<string> {
  yield csvLines([columns]);
  for (let i = 0; i < events.length; i += linesAtOnce) {
    yield csvLines(
      events
        .slice(i, i + linesAtOnce)
        .map(({ segment, operation, at, cause }) => [userId, segment, operation, momentText(at), cause]),
    );
  }
}

/** A file name that every system takes. */
export const reportName = (userId: string, month: string) =>
  `segmentd-${userId.replaceAll(/[^A-Za-z0-9._-]/g, '_')}-${month}.csv`;
