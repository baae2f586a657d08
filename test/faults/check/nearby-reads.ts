import { segmentsAt } from '../../../src/timeline/segments-at.ts';
import type { ReadRecord } from '../log.ts';
import { maxStalenessSeconds } from '../surroundings.ts';
import type { Seen } from './exact-reads.ts';
import { momentText, type Report, sameTexts } from './report.ts';
import { countUpTo, momentsWithin, type UserTimeline } from './timeline.ts';

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
    const what = `${user.userId}: ${how} read at ${service} of [${segments.join()}] sent ${momentText(sentAt)}, as_of ${momentText(asOf)}, answered ${momentText(gotAt)}`;
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
    // What is held counts: it is judged when it has come. And rows are held with the definitions that they were decided on.
    const judgedFrom = Math.max(answer.asOf, user.moments[count - 1] ?? -Infinity);
    const low = Math.max(least.defined, definitions.upTo(user.moments[count - 1] ?? -Infinity));
    for (let defined = low; defined <= Math.min(mostDefined, (held?.defined ?? Infinity) - 1); defined++) {
      const facts = user.facts(count, defined);
      if (!momentsWithin(facts, judgedFrom, gotAt).some((moment) => sameTexts(segmentsAt(facts, moment), answer.segments)))
        continue;
      held = { count: held?.count ?? count, defined };
    }
    if (held && held.defined <= low) break;
  }
  return held;
}
