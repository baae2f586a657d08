import { eventsOf } from '../timeline/events.ts';
import { type Facts, lastMoment, type Moment, type Segment, type Stay } from '../timeline/facts.ts';
import { boundaries, type Pair, pairOf, standingAt } from '../timeline/pair.ts';
import { momentOf } from '../timeline/revision.ts';
import { segmentsAt } from '../timeline/segments-at.ts';
import { type Finding, type Rows, type Rule, shown } from './finding.ts';

/**
 * What is wrong with the stays of one user, by invariants 1 to 3 and 7: nothing, if all is well. Needs the past ones too,
 * as far back as they are kept. Rows in which one alone is wrong are told first, and only where they are sound what follows
 * from all of them, so that one broken row is told once.
 */
export function violationsOf(facts: Facts): Finding[] {
  const isKnown = ({ segmentId }: Stay) => facts.definitions.byId.has(segmentId);
  const strays = facts.stays.filter((stay) => !isKnown(stay));
  const known = strays.length === 0 ? facts : { ...facts, stays: facts.stays.filter(isKnown) };
  const pairs = pairsConcerned(known);
  const found = [
    ...strays.map((stay) => finding('stay_without_segment', facts, stay)),
    ...pairs.flatMap((pair) => pair.stays.flatMap((stay) => oddities(known, pair.segment, stay))),
    ...pairs.flatMap((pair) => crossings(known, pair)),
  ];
  if (found.length > 0) return found;
  return [...pairs.flatMap((pair) => brokenEvents(known, pair)), ...sharings(known, pairs)];
}

/** Those with a stay, and those that take a percentage in a group of which a stay is. Of the others nothing is said by rows. */
function pairsConcerned(facts: Facts): Pair[] {
  const { byId, withRollout } = facts.definitions;
  const segments = new Set(facts.stays.map(({ segmentId }) => byId.get(segmentId)!));
  const groups = new Set([...segments].map(({ exclusiveGroup }) => exclusiveGroup));
  groups.delete(null);
  if (groups.size > 0) for (const mate of withRollout) if (groups.has(mate.exclusiveGroup)) segments.add(mate);
  return [...segments].map((segment) => pairOf(facts, segment));
}

const isOdd = (moment: Moment) => !Number.isInteger(moment) || moment > lastMoment;

/** What is wrong with a row whatever the others are. */
function oddities(facts: Facts, segment: Segment, stay: Stay): Finding[] {
  const { startsAt, endsAt, since } = stay;
  const { createdAt, deletedAt } = segment;
  const isCauseKnown =
    /^(request|import)$/.test(stay.begunCause) && /^(request|import|ttl|segment_deleted)$/.test(stay.endedCause ?? 'ttl');
  const broken: Partial<Record<Rule, boolean>> = {
    stay_moment_odd: isOdd(startsAt) || isOdd(since) || (isOdd(endsAt) && endsAt !== Infinity),
    stay_empty: startsAt >= endsAt,
    stay_outside_life:
      startsAt < createdAt ||
      (stay.endedCause === null
        ? startsAt >= deletedAt && isUnplanned(facts, stay)
        : startsAt >= deletedAt || endsAt > deletedAt),
    stay_since_odd: since > startsAt || since < createdAt,
    stay_cause_unknown: !isCauseKnown,
  };
  return (Object.keys(broken) as Rule[])
    .filter((rule) => broken[rule])
    .map((rule) => finding(rule, facts, stay, { created_at: shown(createdAt), deleted_at: shown(deletedAt) }));
}

/** Surely begun by a change at its start: only a request plans, and only to put a user in. The newest change tells its moment. */
const isUnplanned = (facts: Facts, stay: Stay) =>
  stay.excluded || stay.begunCause === 'import' || stay.startsAt === changedAt(facts);

const changedAt = ({ revision }: Facts): Moment => (revision === null ? -Infinity : momentOf(revision));

/** What is wrong with a row beside the next one of the pair. */
function crossings(facts: Facts, { stays }: Pair): Finding[] {
  const found = stays.slice(1).flatMap((next, i): Finding[] => {
    const stay = stays[i]!;
    if (next.startsAt >= stay.endsAt || mayBeCut(stay, next)) return [];
    const { starts_at: nextStart, ends_at: nextEnd } = times(next);
    return [finding('stays_overlap', facts, stay, { next_starts_at: nextStart!, next_ends_at: nextEnd! })];
  });
  // Judged at the newest change, which saw to it: no clock is needed.
  const planned = stays.filter((stay) => stay.endedCause === null && stay.startsAt > changedAt(facts));
  if (planned.length < 2) return found;
  return [...found, finding('stays_planned_twice', facts, planned[0]!, { next_starts_at: shown(planned[1]!.startsAt) })];
}

/**
 * Whether a stay may have an end behind the start of the next one: where that one was planned, and nothing has been said of
 * the pair since. What a change ended ends before the next begins, and takes along what was cut. A plan over a membership
 * goes on with its `since`, but where an import came in between: that leaves plans as they are.
 */
function mayBeCut(stay: Stay, next: Stay): boolean {
  if (stay.endedCause !== null || next.endedCause !== null) return false;
  if (next.excluded || next.begunCause === 'import') return false;
  return stay.excluded || stay.begunCause === 'import' || next.since === stay.since;
}

function brokenEvents(facts: Facts, pair: Pair): Finding[] {
  const { slug, id } = pair.segment;
  let isIn = false;
  let last = -Infinity;
  for (const { at, operation } of eventsOf(pair)) {
    const isBroken = (operation === 'add') === isIn || at <= last;
    isIn = operation === 'add';
    last = at;
    if (isBroken || standingAt(pair, at).member !== isIn || segmentsAt(facts, at).includes(slug) !== isIn)
      return [
        { rule: 'events_broken', rows: { user_id: facts.userId, segment_id: id, segment: slug, at: shown(at), operation } },
      ];
  }
  return [];
}

/** Of each group the first moment at which the user is in two of its segments, by hand or by percentage. */
function sharings(facts: Facts, pairs: readonly Pair[]): Finding[] {
  const byGroup = Map.groupBy(pairs, ({ segment }) => segment.exclusiveGroup);
  byGroup.delete(null);
  return [...byGroup].flatMap(([group, mates]): Finding[] => {
    if (mates.length < 2) return [];
    const moments = [...new Set(mates.flatMap(boundaries))].sort((a, b) => a - b);
    for (const moment of moments) {
      const slugs = mates.filter((pair) => standingAt(pair, moment).member).map(({ segment }) => segment.slug);
      if (slugs.length > 1)
        return [{ rule: 'group_shared', rows: { user_id: facts.userId, group, segments: slugs.join(), at: shown(moment) } }];
    }
    return [];
  });
}

const times = ({ startsAt, endsAt, since }: Stay): Rows => ({
  starts_at: shown(startsAt),
  ends_at: shown(endsAt),
  since: shown(since),
});

/** About one row of `memberships` or `past_memberships`. */
function finding(rule: Rule, { userId, definitions }: Facts, stay: Stay, more: Rows = {}): Finding {
  const { segmentId, excluded, begunBy, begunCause, endedBy, endedCause } = stay;
  return {
    rule,
    rows: {
      user_id: userId,
      segment_id: segmentId,
      segment: definitions.byId.get(segmentId)?.slug ?? null,
      effect: excluded ? 'exclude' : 'include',
      ...times(stay),
      begun_by: begunBy,
      begun_cause: begunCause,
      ended_by: endedBy,
      ended_cause: endedCause,
      ...more,
    },
  };
}
