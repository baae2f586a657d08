import { presentWhy } from '../../../src/memberships/memberships.schemas.ts';
import { explain } from '../../../src/timeline/explain.ts';
import type { Facts, Moment } from '../../../src/timeline/facts.ts';
import { momentOf } from '../../../src/timeline/revision.ts';
import { segmentsAt } from '../../../src/timeline/segments-at.ts';
import type { ReadRecord, WhyRecord } from '../log.ts';
import { momentText, type Report, sameTexts } from './report.ts';
import { countUpTo, momentsWithin, type UserTimeline } from './timeline.ts';

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
  /** Whether it compares the instant before with the moment: what happens at a moment is another answer one millisecond later. */
  readonly compares?: boolean;
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
    const from = Math.max(read.judgedFrom, user.cuts[cut - 1] ?? -Infinity); // what is in the snapshot had come
    const turns = (read.turns ?? []).filter((moment) => moment > from && moment <= read.judgedTo);
    const moments = [...momentsWithin(facts, from, read.judgedTo), ...turns];
    if (moments.some((moment) => read.answers(facts, moment) || (read.compares && read.answers(facts, moment + 1)))) return cut;
  }
  return undefined;
}

/** The first cut that holds every change of the user and the definitions that was acknowledged before the moment. */
function lowestCut(user: UserTimeline, moment: Moment): number {
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
  const what = `last_revision read of [${segments.join()}] sent ${momentText(sentAt)}, as_of ${momentText(asOf)}`;
  if (asOf < sentAt || asOf > gotAt) report('as_of', `${userId}: ${what}, answered ${momentText(gotAt)}`);
  return {
    what,
    from,
    to,
    includes: Math.max(asOf, sentAt),
    upTo: Math.min(momentOf(revision), gotAt),
    judgedFrom: isLookup ? asOf : momentOf(revision), // the revision of a lookup is that of its newest user
    judgedTo: gotAt,
    revision,
    answers: (facts, moment) => sameTexts(segmentsAt(facts, moment), segments),
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
