import { firstBuckets, type Ranges, sizeOf } from '../rollout/ranges.ts';
import { type Definitions, lastMoment, type Moment, type Rollout, type Segment } from '../timeline/facts.ts';
import { momentOf } from '../timeline/revision.ts';
import { type Finding, type Rows, type Rule, shown } from './finding.ts';

/** A segment with the moment of the last request that changed it. */
export interface CheckedSegment extends Segment {
  readonly updatedAt: Moment;
}

/**
 * What is wrong with segments and their rollouts, all that are past and planned included. `now`: the database's clock after
 * the snapshot, in microseconds. A segment's end bounds its rollouts, whatever their rows say, and a percentage is the width
 * of its ranges: of these two nothing can be wrong.
 */
export function definitionViolations(definitions: Definitions<CheckedSegment>, now: number): Finding[] {
  const { segments, bySlug } = definitions;
  const groups = Map.groupBy(segments, ({ exclusiveGroup }) => exclusiveGroup);
  groups.delete(null);
  return [
    ...stampViolations(definitions, now),
    ...segments.flatMap(lifeViolations),
    ...segments.flatMap(rolloutViolations),
    ...[...bySlug.values()].flatMap(sharedSlugs),
    ...[...groups.values()].flatMap(sharedBuckets),
  ];
}

function stampViolations({ version, revision, segments }: Definitions<CheckedSegment>, now: number): Finding[] {
  const stamp = { version, revision };
  const late = segments.find((segment) => Math.max(...momentsOf(segment)) > momentOf(revision));
  // Each creation and each deletion made a version.
  const changes = segments.reduce((sum, { deletedAt }) => sum + (deletedAt === Infinity ? 1 : 2), 0);
  return [
    ...(late ? [about('definitions_behind', late, stamp)] : []),
    ...(version < changes ? [{ rule: 'definitions_behind' as const, rows: { ...stamp, changes } }] : []),
    ...(revision > now ? [{ rule: 'definitions_ahead_of_clock' as const, rows: { ...stamp, clock: shown(now / 1000) } }] : []),
  ];
}

/** When it was changed itself; what is planned lies ahead. */
const momentsOf = ({ createdAt, updatedAt, deletedAt }: CheckedSegment): Moment[] =>
  [createdAt, updatedAt, deletedAt].filter(Number.isFinite);

const isOdd = (moment: Moment) => !Number.isInteger(moment) || moment > lastMoment;

function lifeViolations(segment: CheckedSegment): Finding[] {
  const { createdAt, updatedAt, deletedAt, deletedBy, exclusiveGroup, salt } = segment;
  const broken: Partial<Record<Rule, boolean>> = {
    segment_moment_odd: isOdd(createdAt) || isOdd(updatedAt) || (isOdd(deletedAt) && deletedAt !== Infinity),
    segment_life_empty: createdAt >= deletedAt || updatedAt < createdAt || updatedAt > deletedAt,
    segment_deletion_odd: deletedAt < Infinity !== (deletedBy !== null),
    group_salt_odd: exclusiveGroup !== null && salt !== exclusiveGroup,
  };
  return (Object.keys(broken) as Rule[]).filter((rule) => broken[rule]).map((rule) => about(rule, segment));
}

function rolloutViolations(segment: CheckedSegment): Finding[] {
  const { rollouts, createdAt, exclusiveGroup } = segment;
  const found: Finding[] = [];
  if (rollouts.length === 0) found.push(about('rollouts_apart', segment));
  for (const [i, rollout] of rollouts.entries()) {
    const { startsAt, endsAt, ranges } = rollout;
    const broken: Partial<Record<Rule, boolean>> = {
      rollout_moment_odd: isOdd(startsAt) || (isOdd(endsAt) && endsAt !== Infinity),
      rollouts_apart: startsAt !== (rollouts[i - 1]?.endsAt ?? createdAt) || startsAt >= endsAt,
      rollout_ends: i === rollouts.length - 1 && endsAt !== Infinity,
      rollout_not_lowest: exclusiveGroup === null && text(ranges) !== text(firstBuckets(sizeOf(ranges))),
    };
    const rules = (Object.keys(broken) as Rule[]).filter((rule) => broken[rule]);
    found.push(...rules.map((rule) => about(rule, segment, rowsOf(rollout))));
  }
  return found;
}

/** All lives of a slug, the oldest first. */
const sharedSlugs = (lives: readonly CheckedSegment[]): Finding[] =>
  lives.slice(1).flatMap((life, i) => {
    const before = lives[i]!;
    return life.createdAt < before.deletedAt ? [about('slug_shared', life, { other_segment_id: before.id })] : [];
  });

/** A rollout for as long as its segment lives. */
interface Taking {
  readonly segment: CheckedSegment;
  readonly rollout: Rollout;
  readonly from: Moment;
  readonly to: Moment;
}

/** By their start, each beside those that are still taken: a group may have had many lives. */
function sharedBuckets(mates: readonly CheckedSegment[]): Finding[] {
  const takings = mates.flatMap((segment) => segment.rollouts.flatMap((rollout) => takingOf(segment, rollout)));
  takings.sort((a, b) => a.from - b.from);
  const found: Finding[] = [];
  let taken: Taking[] = [];
  for (const taking of takings) {
    taken = taken.filter(({ to }) => to > taking.from);
    for (const other of taken) {
      if (other.segment === taking.segment || !overlap(other.rollout.ranges, taking.rollout.ranges)) continue;
      const { segment } = other;
      const rows = { ...rowsOf(taking.rollout), other_segment: segment.slug, other_ranges: text(other.rollout.ranges) };
      found.push(about('group_ranges_overlap', taking.segment, { ...rows, at: shown(taking.from) }));
    }
    taken.push(taking);
  }
  return found;
}

function takingOf(segment: CheckedSegment, rollout: Rollout): Taking[] {
  const [from, to] = [Math.max(rollout.startsAt, segment.createdAt), Math.min(rollout.endsAt, segment.deletedAt)];
  return from < to && rollout.ranges.length > 0 ? [{ segment, rollout, from, to }] : [];
}

const overlap = (some: Ranges, others: Ranges) =>
  some.some(([from, to]) => others.some(([otherFrom, otherTo]) => from < otherTo && otherFrom < to));

const text = (ranges: Ranges) => ranges.map(([from, to]) => `[${from},${to})`).join();

const rowsOf = ({ startsAt, endsAt, ranges }: Rollout): Rows => ({
  from_at: shown(startsAt),
  to_at: shown(endsAt),
  ranges: text(ranges),
});

const about = (rule: Rule, segment: CheckedSegment, more: Rows = {}): Finding => ({
  rule,
  rows: {
    segment_id: segment.id,
    segment: segment.slug,
    exclusive_group: segment.exclusiveGroup,
    created_at: shown(segment.createdAt),
    updated_at: shown(segment.updatedAt),
    deleted_at: shown(segment.deletedAt),
    ...more,
  },
});
