import { eventsBetween, type Event } from '../../../src/timeline/events.ts';
import { explain } from '../../../src/timeline/explain.ts';
import type { Facts, Moment } from '../../../src/timeline/facts.ts';
import { momentOf } from '../../../src/timeline/revision.ts';
import { segmentsAt } from '../../../src/timeline/segments-at.ts';
import { presentWhy } from '../../../src/memberships/memberships.schemas.ts';
import { eventText } from '../client.ts';
import type { HistoryRecord, ReadRecord, WhyRecord } from '../log.ts';
import { maxStalenessSeconds } from '../surroundings.ts';
import { countUpTo, momentsWithin, type UserTimeline } from './timeline.ts';

export type Report = (check: string, what: string) => void;

const same = (some: readonly string[], others: readonly string[]) =>
  some.length === others.length && some.every((one, i) => one === others[i]);
const text = (moment: Moment) => new Date(moment).toISOString();

/**
 * A read that asked the database: what it answered follows from one snapshot of it. `answers`: whether it follows from these
 * facts at this moment.
 */
export interface ExactRead {
  readonly what: string;
  readonly from: number;
  readonly to: number;
  /** All that was acknowledged before is in the snapshot. */
  readonly includes: Moment;
  /** Nothing that came later is. */
  readonly upTo: Moment;
  /** What is judged, and between which moments of the database's clock. */
  readonly judgedFrom: Moment;
  readonly judgedTo: Moment;
  readonly withPast?: boolean;
  /** What it told to ask for. */
  readonly revision?: number;
  /** More moments at which the answer may change. */
  readonly turns?: readonly Moment[];
  readonly answers: (facts: Facts, moment: Moment) => boolean;
}

/** What a read held at the least, when it was over, and what it told to ask for. */
export interface Seen {
  readonly to: number;
  readonly revision: number;
  /** Of the user's changes, and of those of the definitions. */
  readonly count: number;
  readonly defined: number;
}

/**
 * Whether one order of the changes explains all reads that asked the database, each between its question and its answer: a
 * read holds what was acknowledged before it, and whatever an earlier read held. The least that explains a read is taken
 * each time, so that what is left to the later ones is the most.
 */
export function checkExactReads(user: UserTimeline, reads: readonly ExactRead[], report: Report): Seen[] {
  const ended: { to: number; most: number }[] = [];
  return reads
    .toSorted((a, b) => a.from - b.from)
    .flatMap((read) => {
      const before = ended.length === 0 ? 0 : mostBefore(ended, read.from);
      const low = Math.max(before, lowestCut(user, read.includes));
      const high = countUpTo(user.cuts, read.upTo);
      const cut = firstCut(user, read, low, high);
      if (cut === undefined) {
        const isEarlier = firstCut(user, read, 0, high) !== undefined;
        report(
          isEarlier ? 'real time' : 'exact read',
          `${user.userId}: ${read.what} ${isEarlier ? 'lacks what was acknowledged or read before' : 'is of no state'}`,
        );
      }
      insertByEnd(ended, read.to, cut ?? before);
      if (cut === undefined || read.revision === undefined) return [];
      const moment = user.cuts[cut - 1] ?? -Infinity;
      return [
        { to: read.to, revision: read.revision, count: countUpTo(user.moments, moment), defined: user.definitions.upTo(moment) },
      ];
    });
}

function firstCut(user: UserTimeline, read: ExactRead, low: number, high: number): number | undefined {
  for (let cut = low; cut <= high; cut++) {
    const facts = user.factsAt(cut, read.withPast);
    const turns = (read.turns ?? []).filter((moment) => moment > read.judgedFrom && moment <= read.judgedTo);
    if ([...momentsWithin(facts, read.judgedFrom, read.judgedTo), ...turns].some((moment) => read.answers(facts, moment)))
      return cut;
  }
  return undefined;
}

/** The first cut that holds every change of the user and the definitions that was acknowledged before the moment. */
export function lowestCut(user: UserTimeline, moment: Moment): number {
  const own = user.moments[user.acknowledged.before(moment) - 1] ?? -Infinity;
  const defined = user.definitions.moments[user.definitions.acknowledged.before(moment) - 1] ?? -Infinity;
  return countUpTo(user.cuts, Math.max(own, defined));
}

/** By their end; each says the most that any up to it held. */
function insertByEnd(ended: { to: number; most: number }[], to: number, cut: number) {
  let i = ended.length;
  while (i > 0 && ended[i - 1]!.to > to) i--;
  ended.splice(i, 0, { to, most: Math.max(cut, ended[i - 1]?.most ?? 0) });
  for (let j = i + 1; j < ended.length && ended[j]!.most < cut; j++) ended[j]!.most = cut;
}

function mostBefore(ended: readonly { to: number; most: number }[], from: number): number {
  let [low, high] = [0, ended.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ended[middle]!.to < from) low = middle + 1;
    else high = middle;
  }
  return ended[low - 1]?.most ?? 0;
}

export function exactReadOf({ isLookup, userId, sentAt, gotAt, from, to, answer }: ReadRecord, report: Report): ExactRead {
  const { segments, asOf, revision } = answer;
  const what = `last_revision read of [${segments.join()}] sent ${text(sentAt)}, as_of ${text(asOf)}`;
  if (asOf < sentAt || asOf > gotAt) report('as_of', `${userId}: ${what}, answered ${text(gotAt)}`);
  return {
    what,
    from,
    to,
    includes: Math.max(asOf, sentAt),
    upTo: Math.min(momentOf(revision), gotAt),
    judgedFrom: isLookup ? asOf : momentOf(revision), // the revision of a lookup is that of its newest user
    judgedTo: gotAt,
    revision,
    answers: (facts, moment) => same(segmentsAt(facts, moment), segments),
  };
}

/** A present `why`. */
export function exactWhyOf({ userId, slug, sentAt, gotAt, from, to, answer }: WhyRecord): ExactRead {
  const asOf = answer === null ? sentAt : Date.parse(answer.as_of as string);
  return {
    what: `why of ${slug}, ${JSON.stringify(answer)}`,
    from,
    to,
    includes: asOf,
    upTo: gotAt,
    judgedFrom: asOf,
    judgedTo: gotAt,
    withPast: true,
    answers(facts, moment) {
      const found = explain(facts, slug, moment);
      if (!found || answer === null) return !found && answer === null;
      return JSON.stringify(presentWhy(userId, slug, { ...found, asOf })) === JSON.stringify(answer);
    },
  };
}

/**
 * Reads from what is held nearby. Each holds what was acknowledged before its `as_of`, which is not before the limit; and one
 * with `min_revision`, of what has a revision up to that, all that was acknowledged before the question or held by a read
 * before it that told such a revision. (Not more: a change that is still to be committed may have a smaller one, and asking
 * the database is always right.) What is held of the user and of the definitions may end at different places.
 */
export function checkNearbyReads(user: UserTimeline, records: readonly ReadRecord[], seen: Seen[], report: Report): void {
  for (const record of records.toSorted((a, b) => a.from - b.from)) {
    const { how, minRevision = 0, sentAt, gotAt, service, answer } = record;
    const { asOf, segments, revision } = answer;
    const what = `${user.userId}: ${how} read at ${service} of [${segments.join()}] sent ${text(sentAt)}, as_of ${text(asOf)}, answered ${text(gotAt)}`;
    if (asOf > gotAt) report('as_of', what);
    if (asOf < sentAt - maxStalenessSeconds * 1_000) report('staleness', `${what}: older than the limit`);
    const least = leastOf(user, record, seen);
    const held = heldBy(user, record, least);
    if (held) {
      seen.push({ to: record.to, revision, ...held });
      continue;
    }
    const isOld = heldBy(user, record, { count: 0, defined: 0 }) !== undefined;
    const check = !isOld ? 'nearby read' : minRevision > 0 ? 'min_revision' : 'follower';
    report(
      check,
      `${what}: ${isOld ? 'lacks what it must hold' : 'is of no state'}${minRevision > 0 ? `, asked for ${minRevision}` : ''}`,
    );
  }
}

type Held = Pick<Seen, 'count' | 'defined'>;

function leastOf(
  { acknowledged, definitions, revisions }: UserTimeline,
  { minRevision, sentAt, from, answer }: ReadRecord,
  seen: readonly Seen[],
): Held {
  const { asOf } = answer;
  const [count, defined] = [acknowledged.before(asOf), definitions.acknowledged.before(asOf)];
  if (minRevision === undefined) return { count, defined };
  const before = seen.filter(({ to, revision }) => to < from && revision <= minRevision);
  return {
    count: Math.max(
      count,
      Math.min(acknowledged.before(sentAt), countUpTo(revisions, minRevision)),
      ...before.map((one) => one.count),
    ),
    defined: Math.max(
      defined,
      Math.min(definitions.acknowledged.before(sentAt), countUpTo(definitions.revisions, minRevision)),
      ...before.map((one) => one.defined),
    ),
  };
}

/** The least of both that explains the answer; `undefined`: nothing does. */
function heldBy(user: UserTimeline, { gotAt, answer }: ReadRecord, least: Held): Held | undefined {
  const { definitions } = user;
  const [most, mostDefined] = [countUpTo(user.moments, gotAt), definitions.upTo(gotAt)];
  let held: Held | undefined;
  for (let count = least.count; count <= most; count++) {
    // Rows are held with the definitions that they were decided on, or later ones.
    const low = Math.max(least.defined, definitions.upTo(user.moments[count - 1] ?? -Infinity));
    for (let defined = low; defined <= Math.min(mostDefined, (held?.defined ?? Infinity) - 1); defined++) {
      const facts = user.facts(count, defined);
      if (!momentsWithin(facts, answer.asOf, gotAt).some((moment) => same(segmentsAt(facts, moment), answer.segments))) continue;
      held = { count: held?.count ?? count, defined };
    }
    if (held && held.defined <= low) break;
  }
  return held;
}

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
      if (!same(now, record.answer.segments) || record.answer.asOf !== record.at)
        report('past', `${user.userId} at ${text(record.at!)}: answered [${record.answer.segments.join()}], now [${now.join()}]`);
    } else {
      const found = explain(facts, record.slug, record.at!);
      // `until` may still change.
      const told = (one: object | null | undefined) => one && JSON.stringify({ ...one, until: null });
      const now = found && presentWhy(user.userId, record.slug, { ...found, asOf: record.at! });
      if (told(now) !== told(record.answer) && (now || record.answer))
        report(
          'past',
          `${user.userId}: why ${record.slug} at ${text(record.at!)}: answered ${JSON.stringify(record.answer)}, now ${JSON.stringify(now)}`,
        );
    }
  }
}

function checkHistory(
  user: UserTimeline,
  { period: [from], sentAt, gotAt, answer }: HistoryRecord,
  events: readonly Event[],
  report: Report,
) {
  const { to, hasMore } = answer;
  const what = `${user.userId}: history from ${text(from)}, complete up to ${text(to)}`;
  const acknowledged = user.moments[user.acknowledged.before(sentAt) - 1] ?? -Infinity;
  if (to <= acknowledged || to > gotAt + 1) report('history', `${what}, asked at ${text(sentAt)}`);
  const now = events.filter(({ at }) => at >= from && at < to).map(eventText);
  const told = hasMore ? now.slice(0, answer.events.length) : now;
  if (!same(told, answer.events)) report('past', `${what}: answered ${answer.events.join('; ')}, now ${now.join('; ')}`);
}
