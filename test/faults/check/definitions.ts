import type { Ranges } from '../../../src/rollout/ranges.ts';
import { sizeOf } from '../../../src/rollout/ranges.ts';
import type { Moment, Segment } from '../../../src/timeline/facts.ts';
import { momentOf } from '../../../src/timeline/revision.ts';
import type { DefinitionsChange } from '../audit.ts';
import type { SegmentRecord } from '../log.ts';
import type { Report } from './report.ts';
import { Acknowledgements, type DefinitionsTimeline } from './timeline.ts';

/** Each change of the definitions by one request, as `explainChanges` does for users. How many are lost. */
export function explainDefinitions(
  timeline: DefinitionsTimeline,
  records: readonly SegmentRecord[],
  startedAt: Moment,
  report: Report,
): number {
  const before = (n: number) => timeline.after(n - 1).byId.get(timeline.changes[n - 1]!.segment.id);
  const byRevision = new Map(timeline.revisions.map((revision, i) => [revision, i + 1]));
  const explained = new Map<number, Moment>();
  let lost = 0;

  for (const record of records.filter(({ outcome }) => outcome === 'acknowledged')) {
    const what = `${record.operation} ${record.slug} of ${record.revision}`;
    const n = byRevision.get(record.revision!);
    if (n === undefined) {
      lost++;
      report('lost', what);
      continue;
    }
    const change = timeline.changes[n - 1]!;
    if (record.operation === 'percent' && (explained.has(n) || !isOwn(record, before(n), change))) {
      if (!stood(record)) report('change', `${what} changed nothing and is not what was asked for: ${JSON.stringify(record)}`);
      continue;
    }
    explained.set(n, record.gotAt);
    const moment = momentOf(change.revision);
    if (!isBy(record, before(n), change) || !isShown(record, change))
      report('change', `${what} is not what was asked for or answered: ${JSON.stringify([record, change])}`);
    if (moment < record.sentAt || moment > record.gotAt)
      report('real time', `${what} is not between its question and its answer`);
  }

  const open = records.filter(({ outcome }) => outcome === 'unknown');
  for (let n = 1; n <= timeline.count; n++) {
    const change = timeline.changes[n - 1]!;
    const moment = momentOf(change.revision);
    if (moment < startedAt) explained.set(n, moment); // made before the clients began
    if (explained.has(n)) continue;
    const i = open.findIndex((record) => record.sentAt <= moment && isBy(record, before(n), change));
    if (i < 0)
      report('unasked', `the change of ${change.segment.slug} of ${change.revision} is nobody's: ${JSON.stringify(change)}`);
    else open.splice(i, 1);
  }
  timeline.acknowledged = new Acknowledgements([...explained]);
  return lost;
}

/** Whether the request does that to the segment. */
function isBy(
  { operation, slug, percent = 0, effectiveAt, actor }: SegmentRecord,
  before: Segment | undefined,
  { revision, segment }: DefinitionsChange,
): boolean {
  if (segment.slug !== slug) return false;
  const moment = momentOf(revision);
  if (operation === 'create')
    return !before && segment.createdBy === actor && sizeOf(segment.rollouts[0]!.ranges) === percent * 100;
  if (!before || before.deletedAt < Infinity) return false;
  if (operation === 'delete') return segment.deletedAt === moment && segment.deletedBy === actor;
  if (segment.deletedAt < Infinity) return false;
  if (operation === 'cancel') return segment.rollouts.length < before.rollouts.length;
  const set = segment.rollouts.find(({ startsAt }) => startsAt === (effectiveAt ?? moment));
  return set !== undefined && set.changedBy === actor && sizeOf(set.ranges) === percent * 100;
}

/** Whether the change is that of a percentage by this request, not what stood already and was answered so. */
const isOwn = (record: SegmentRecord, before: Segment | undefined, change: DefinitionsChange): boolean =>
  record.answer!.updatedAt === momentOf(change.revision) && isBy(record, before, change);

/** Whether the answer shows what was asked for. What was planned may have begun since. */
function stood({ percent = 0, effectiveAt, gotAt, answer }: SegmentRecord): boolean {
  const { ranges, scheduled } = answer!;
  const asked = effectiveAt === undefined ? ranges : scheduled.find(({ at }) => at === effectiveAt)?.ranges;
  if (!asked) return effectiveAt! <= gotAt;
  return sizeOf(asked) === percent * 100;
}

/** Whether the answer shows the segment as it is after the change. */
function isShown({ answer }: SegmentRecord, { revision, segment }: DefinitionsChange): boolean {
  if (!answer) return true;
  const moment = momentOf(revision);
  const inForce = segment.rollouts.findLast(({ startsAt }) => startsAt <= moment);
  const coming = segment.rollouts.filter(({ startsAt }) => startsAt > moment).map(({ startsAt: at, ranges }) => ({ at, ranges }));
  return JSON.stringify([answer.ranges, answer.scheduled]) === JSON.stringify([inForce?.ranges ?? [], coming]);
}

/** Raising takes nobody out, lowering puts nobody in, and no bucket of a group is ever in two (invariant 7). */
export function checkShares(timeline: DefinitionsTimeline, report: Report): void {
  const bits = (ranges: Ranges) => new Set(ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i)));
  const { segments } = timeline.last;
  for (const { slug, rollouts } of segments) {
    for (const [i, one] of rollouts.entries()) {
      const next = rollouts[i + 1];
      if (!next) continue;
      const [fewer, more] = sizeOf(one.ranges) <= sizeOf(next.ranges) ? [one, next] : [next, one];
      if (!bits(fewer.ranges).isSubsetOf(bits(more.ranges)))
        report('shares', `${slug}: a change at ${next.startsAt} took other buckets`);
    }
  }
  const grouped = segments.filter(({ exclusiveGroup }) => exclusiveGroup !== null);
  for (const [i, one] of grouped.entries()) {
    for (const other of grouped.slice(i + 1)) {
      if (one.exclusiveGroup !== other.exclusiveGroup) continue;
      for (const a of one.rollouts) {
        for (const b of other.rollouts) {
          const [from, to] = [Math.max(a.startsAt, b.startsAt), Math.min(a.endsAt, b.endsAt, one.deletedAt, other.deletedAt)];
          if (from < to && !bits(a.ranges).isDisjointFrom(bits(b.ranges)))
            report('shares', `${one.slug} and ${other.slug} share buckets at ${from}`);
        }
      }
    }
  }
}
