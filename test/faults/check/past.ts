import { presentWhy } from '../../../src/memberships/memberships.schemas.ts';
import { type Event, eventsBetween } from '../../../src/timeline/events.ts';
import { explain } from '../../../src/timeline/explain.ts';
import { segmentsAt } from '../../../src/timeline/segments-at.ts';
import type { HistoryRecord, ReadRecord, WhyRecord } from '../log.ts';
import { eventText } from '../recording.ts';
import { momentText, type Report, sameTexts } from './report.ts';
import type { UserTimeline } from './timeline.ts';

/** What was once answered about the past is still so, by all that the database holds at the end. */
export function checkPast(
  user: UserTimeline,
  records: readonly (ReadRecord | WhyRecord | HistoryRecord)[],
  report: Report,
): void {
  if (records.length === 0) return;
  const facts = user.final();
  let events: Event[] | undefined;
  for (const record of records) {
    if (record.kind === 'history') {
      events ??= eventsBetween(facts, -Infinity, Infinity);
      checkHistory(user, record, events, report);
    } else if (record.kind === 'read') {
      const now = segmentsAt(facts, record.at!);
      if (!sameTexts(now, record.answer.segments) || record.answer.asOf !== record.at)
        report(
          'past',
          `${user.userId} at ${momentText(record.at!)}: answered [${record.answer.segments.join()}], now [${now.join()}]`,
        );
    } else {
      const found = explain(facts, record.slug, record.at!);
      // `until` may still change.
      const told = (one: object | null | undefined) => one && JSON.stringify({ ...one, until: null });
      const now = found && presentWhy(user.userId, record.slug, { ...found, asOf: record.at! });
      if (told(now) !== told(record.answer) && (now || record.answer))
        report(
          'past',
          `${user.userId}: why ${record.slug} at ${momentText(record.at!)}: answered ${JSON.stringify(record.answer)}, now ${JSON.stringify(now)}`,
        );
    }
  }
}

function checkHistory(
  user: UserTimeline,
  { since: from, sentAt, gotAt, answer }: HistoryRecord,
  events: readonly Event[],
  report: Report,
) {
  const { to, hasMore } = answer;
  const what = `${user.userId}: history from ${momentText(from)}, complete up to ${momentText(to)}`;
  const acknowledged = user.moments[user.acknowledged.before(sentAt) - 1] ?? -Infinity;
  if (to <= acknowledged || to > gotAt + 1) report('history', `${what}, asked at ${momentText(sentAt)}`);
  const now = events.filter(({ at }) => at >= from && at < to).map(eventText);
  const told = hasMore ? now.slice(0, answer.events.length) : now;
  if (!sameTexts(told, answer.events)) report('past', `${what}: answered ${answer.events.join('; ')}, now ${now.join('; ')}`);
}
