import { applied } from './applied.ts';
import { livesAt, livingAt } from './definitions.ts';
import { type Cause, type CommandCause, type Facts, lastMoment, type Moment, type Segment, type Stay } from './facts.ts';
import { leftovers } from './leftovers.ts';
import { inForce, pairOf, standingAt, staysOf } from './pair.ts';

/** Where what is added ends. A TTL counts from its start, else from the moment at which the decision is applied. */
export type End =
  | { readonly kind: 'never' }
  | { readonly kind: 'at'; readonly moment: Moment }
  | { readonly kind: 'ttl'; readonly milliseconds: number };

/** What somebody asks for one user. No slug stands twice in the two lists together. */
export interface Command {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** When all of `add` begins: a plan. Null: at the moment of applying. */
  readonly start: Moment | null;
  /** The end of all of `add`. */
  readonly end: End;
  /** Whether what stands in the way in the exclusive groups of `add` ends. Not together with a start. */
  readonly replaceInGroup: boolean;
  /**
   * Of a row of a file that takes the place of who is in by hand: plans stay, who is in keeps the end unless one is given,
   * and a removal concerns only whose unbroken stretch began before this moment. Left out: an ordinary command.
   */
  readonly replacement?: Moment;
  /** The name of the key. */
  readonly actor: string;
  readonly cause: CommandCause;
}

/** A stay that stops. Without `endsAt` where it ended by itself, else at the moment of applying; one that had not begun leaves no trace. */
export interface Ending {
  readonly segmentId: number;
  readonly startsAt: Moment;
  readonly endsAt: Moment | null;
  readonly cause: Cause;
  readonly by: string;
}

/** A stay that starts. */
export interface Beginning {
  readonly segmentId: number;
  /** Null: at the moment of applying. */
  readonly startsAt: Moment | null;
  readonly excluded: boolean;
  readonly end: End;
  /** Null: its start. `-Infinity`: the moment of applying, of a plan that follows without a gap on what begins then. */
  readonly since: Moment | null;
  readonly cause: CommandCause;
  readonly by: string;
}

/** What a command means for the rows, and what its sender is told. Empty lists of rows: nothing is to be written. */
export interface Decision {
  readonly endings: readonly Ending[];
  readonly beginnings: readonly Beginning[];
  readonly added: readonly string[];
  /** Named ones, then those of which a group made room. */
  readonly removed: readonly string[];
  readonly unchanged: readonly string[];
  /** It holds for every moment from the one it was made for, as long as that is before this one. */
  readonly goodUntil: Moment;
}

/** Why a command cannot be carried out. */
export type Refusal =
  | { readonly refused: 'segment_not_found'; readonly slugs: readonly { readonly path: string; readonly slug: string }[] }
  | { readonly refused: 'start_not_future'; readonly start: Moment }
  | { readonly refused: 'end_not_future'; readonly end: Moment }
  | { readonly refused: 'end_not_after_start'; readonly start: Moment; readonly end: Moment }
  /** `slugs`: what is in the way, sorted. */
  | { readonly refused: 'group_conflict'; readonly slugs: readonly string[] }
  | { readonly refused: 'end_too_late'; readonly latestMilliseconds: number; readonly milliseconds: number };

/** One slug of a command: the stays that stop and start for it. */
interface Step {
  readonly endings: readonly Ending[];
  readonly beginnings: readonly Beginning[];
}

const nothing: Step = { endings: [], beginnings: [] };

/**
 * Every rule about adding and removing. Needs the user's current and planned stays.
 * `added`, `removed` and `unchanged` compare the instant before the moment with the moment.
 */
export function decide(facts: Facts, command: Command, moment: Moment): Decision | Refusal {
  const refusal = refuse(facts, command, moment);
  if (refusal) return refusal;

  const [toAdd, toRemove] = [command.add, command.remove].map((slugs) =>
    slugs.map((slug) => livingAt(facts.definitions, slug, moment)!),
  ) as [Segment[], Segment[]];
  const removals = toRemove.map((segment) => removing(facts, segment, command, moment));
  const conflicts = conflictsOf(facts, removals, toAdd, command, moment);
  if (conflicts.length > 0) return { refused: 'group_conflict', slugs: conflicts };

  const inTheWay = command.replaceInGroup ? matesOf(facts, toAdd, moment).filter((mate) => !toRemove.includes(mate)) : [];
  const rows = rowsOf(facts, moment, [
    ...toAdd.map((segment) => adding(facts, segment, command, moment)),
    ...removals,
    ...inTheWay.map((mate) => makingRoom(facts, mate, command, moment)),
  ]);

  const answer = { added: [] as string[], removed: [] as string[], unchanged: [] as string[] };
  const wasIn = (segment: Segment) => standingAt(pairOf(facts, segment), moment - 1).member; // nothing changes within a millisecond
  const after = command.start === null ? undefined : applied(facts, rows, moment);
  const tell = (segment: Segment, isIn: boolean) =>
    answer[wasIn(segment) === isIn ? 'unchanged' : isIn ? 'added' : 'removed'].push(segment.slug);
  for (const segment of toAdd) tell(segment, after ? standingAt(pairOf(after, segment), moment).member : true);
  for (const segment of toRemove) tell(segment, false);
  for (const mate of inTheWay) if (wasIn(mate)) answer.removed.push(mate.slug);
  return { ...rows, ...answer, goodUntil: goodUntil(facts, command, toAdd, moment) };
}

/** All that is to be written for these steps. */
function rowsOf(facts: Facts, moment: Moment, steps: readonly Step[]) {
  const endings = steps.flatMap((step) => step.endings);
  const beginnings = steps.flatMap((step) => step.beginnings);
  if (endings.length + beginnings.length > 0) endings.push(...leftovers(facts, moment, endings));
  return { endings, beginnings };
}

/** The other living segments of the exclusive groups of these. */
function matesOf({ definitions }: Facts, segments: readonly Segment[], moment: Moment): Segment[] {
  const groups = new Set(segments.map(({ exclusiveGroup }) => exclusiveGroup));
  groups.delete(null);
  if (groups.size === 0) return [];
  return definitions.segments
    .filter((other) => groups.has(other.exclusiveGroup) && !segments.includes(other) && livesAt(other, moment))
    .sort((a, b) => (a.slug < b.slug ? -1 : 1));
}

/**
 * The slugs that stand in the way of adding, after what the command removes. Two of one group always do; others where the
 * user would be in both by hand at some moment, or is in the other one at this moment by its percentage.
 */
function conflictsOf(
  before: Facts,
  removals: readonly Step[],
  toAdd: readonly Segment[],
  command: Command,
  moment: Moment,
): string[] {
  const grouped = toAdd.filter(({ exclusiveGroup }) => exclusiveGroup !== null);
  const byGroup = Map.groupBy(grouped, ({ exclusiveGroup }) => exclusiveGroup);
  const twice = [...byGroup.values()].filter(({ length }) => length > 1);
  const conflicts = new Set(twice.flat().map(({ slug }) => slug));
  if (command.replaceInGroup || grouped.length === 0) return [...conflicts].sort();

  const facts = applied(before, rowsOf(before, moment, removals), moment);
  // Not the command's own time alone: a plan that is moved away lets go on what it would have ended.
  const additions = grouped.map((segment) => adding(facts, segment, command, moment));
  const after = applied(facts, rowsOf(facts, moment, additions), moment);
  for (const mate of matesOf(facts, grouped, moment)) {
    const own = byGroup.get(mate.exclusiveGroup)!.flatMap((segment) => timesByHand(after, segment, moment));
    const theirs = timesByHand(facts, mate, moment);
    const isByHand = own.some(({ from, to }) => theirs.some((their) => their.from < to && their.to > from));
    const isIn = command.start === null && standingAt(pairOf(facts, mate), moment).member;
    if (isByHand || isIn) conflicts.add(mate.slug);
  }
  return [...conflicts].sort();
}

/** When from the moment on the user is in the segment by hand. */
function timesByHand(facts: Facts, segment: Segment, moment: Moment): { from: Moment; to: Moment }[] {
  const stays = staysOf(facts, segment.id);
  return stays.flatMap(({ excluded, startsAt, endsAt }, i) => {
    const [from, to] = [Math.max(startsAt, moment), Math.min(endsAt, stays[i + 1]?.startsAt ?? Infinity)];
    return !excluded && from < to ? [{ from, to }] : [];
  });
}

/** What ends for another one of the group: what puts the user in by hand, now or by a plan. An exclusion stands. */
function makingRoom(facts: Facts, mate: Segment, { actor, cause }: Command, moment: Moment): Step {
  const { present, planned } = standing(facts, mate, moment);
  const ended = [...(present ? [present] : []), ...planned].filter(({ excluded }) => !excluded);
  return { endings: ended.map((stay) => ending(stay, cause, actor)), beginnings: [] };
}

const endAt = (moment: Moment): End => (moment === Infinity ? { kind: 'never' } : { kind: 'at', moment });

function endsAt({ start, end }: Command, moment: Moment): Moment {
  return end.kind === 'never' ? Infinity : end.kind === 'at' ? end.moment : (start ?? moment) + end.milliseconds;
}

function refuse(facts: Facts, { add, remove, start, end }: Command, moment: Moment): Refusal | undefined {
  const named = [
    ...add.map((slug, i) => ({ path: `add/${i}`, slug })),
    ...remove.map((slug, i) => ({ path: `remove/${i}`, slug })),
  ];
  const slugs = named.filter(({ slug }) => !livingAt(facts.definitions, slug, moment));
  if (start !== null && start <= moment) return { refused: 'start_not_future', start };
  if (end.kind === 'at' && end.moment <= moment) return { refused: 'end_not_future', end: end.moment };
  if (start !== null && end.kind === 'at' && end.moment <= start)
    return { refused: 'end_not_after_start', start, end: end.moment };
  const latest = lastMoment - (start ?? moment);
  if (end.kind === 'ttl' && end.milliseconds > latest)
    return { refused: 'end_too_late', latestMilliseconds: latest, milliseconds: end.milliseconds };
  return slugs.length > 0 ? { refused: 'segment_not_found', slugs } : undefined;
}

function adding(facts: Facts, segment: Segment, command: Command, moment: Moment): Step {
  const { start, end, actor: by, cause } = command;
  if (start !== null) return planning(facts, segment, start, command, moment);
  const { present, planned } = standing(facts, segment, moment);
  const member = present?.excluded === false ? present : undefined;
  const isReplacing = command.replacement !== undefined;
  const replaced = isReplacing ? [] : planned;
  const keepsEnd = isReplacing && end.kind === 'never';
  if (member && replaced.length === 0 && (keepsEnd || hasEnd(member, end))) return nothing;
  const since = member?.since ?? null;
  const own: Step = {
    endings: [...(present ? [present] : []), ...replaced].map((stay) => ending(stay, cause, by)),
    beginnings: [{ segmentId: segment.id, startsAt: null, excluded: false, end, since, cause, by }],
  };
  if (!isReplacing) return own;
  const until = endsAt(command, moment);
  return both(
    own,
    following(planned, (plan) => (until >= plan.startsAt ? (since ?? -Infinity) : null)),
  );
}

const both = (one: Step, other: Step): Step => ({
  endings: [...one.endings, ...other.endings],
  beginnings: [...one.beginnings, ...other.beginnings],
});

/** What is planned stays, but its unbroken stretch begins elsewhere: since a moment as of a `Beginning`. */
function following(planned: readonly Stay[], sinceOf: (plan: Stay) => Moment | null): Step {
  const moved = planned.filter((plan) => (sinceOf(plan) ?? plan.startsAt) !== plan.since);
  return {
    endings: moved.map((plan) => ending(plan, plan.begunCause, plan.begunBy)),
    beginnings: moved.map((plan) => ({
      segmentId: plan.segmentId,
      startsAt: plan.startsAt,
      excluded: plan.excluded,
      end: endAt(plan.endsAt),
      since: sinceOf(plan),
      cause: plan.begunCause,
      by: plan.begunBy,
    })),
  };
}

/** What holds goes on until the start. Of a pair one plan stands, so it replaces the one before. */
function planning(facts: Facts, segment: Segment, start: Moment, command: Command, moment: Moment): Step {
  const { present, planned } = standing(facts, segment, moment);
  const until = endsAt(command, moment);
  const [known] = planned;
  if (known?.startsAt === start && known.endsAt === until) return nothing;
  const isUnbroken = present?.excluded === false && present.endsAt >= start;
  const { actor: by, cause } = command;
  return {
    endings: planned.map((stay) => ending(stay, cause, by)),
    beginnings: [
      {
        segmentId: segment.id,
        startsAt: start,
        excluded: false,
        end: endAt(until),
        since: isUnbroken ? present.since : null,
        cause,
        by,
      },
    ],
  };
}

function removing(facts: Facts, segment: Segment, { actor, cause, replacement }: Command, moment: Moment): Step {
  const { present, planned } = standing(facts, segment, moment);
  const isExcluded = present?.excluded === true;
  if (replacement !== undefined && (!present || isExcluded || present.since >= replacement)) return nothing;
  const [ended, kept] = replacement === undefined ? [planned, []] : [[], planned];
  const exclude = !isExcluded && segment.rollouts.some((rollout) => rollout.endsAt > moment && rollout.ranges.length > 0);
  const own: Step = {
    endings: [...(present && !isExcluded ? [present] : []), ...ended].map((stay) => ending(stay, cause, actor)),
    beginnings: exclude
      ? [{ segmentId: segment.id, startsAt: null, excluded: true, end: { kind: 'never' }, since: null, cause, by: actor }]
      : [],
  };
  return both(
    own,
    following(kept, () => null),
  );
}

/** The stay of the pair that counts at the moment and those still to come, of what nobody has ended. */
function standing(facts: Facts, segment: Segment, moment: Moment): { present: Stay | undefined; planned: Stay[] } {
  const stays = staysOf(facts, segment.id).filter((stay) => stay.endedCause === null);
  return { present: inForce(stays, moment), planned: stays.filter((stay) => stay.startsAt > moment) };
}

/** A repeat that asks for the end that stands changes nothing; a TTL counts from now, so it always moves the end. */
const hasEnd = (stay: Stay, end: End) =>
  end.kind === 'never' ? stay.endsAt === Infinity : end.kind === 'at' && stay.endsAt === end.moment;

const ending = ({ segmentId, startsAt }: Stay, cause: Cause, by: string): Ending => ({
  segmentId,
  startsAt,
  endsAt: null,
  cause,
  by,
});

/** The next moment at which time alone changes what the user is in, or the command itself runs out of time. */
function goodUntil(facts: Facts, { start, end, add }: Command, toAdd: readonly Segment[], moment: Moment): Moment {
  const coming: Moment[] = [Infinity];
  if (start !== null) coming.push(start);
  else if (end.kind === 'at') coming.push(end.moment);
  else if (end.kind === 'ttl' && add.length > 0) {
    coming.push(lastMoment - end.milliseconds + 1);
    // The end moves with the time, until it meets a plan in the group.
    for (const mate of matesOf(facts, toAdd, moment))
      for (const { startsAt } of staysOf(facts, mate.id)) coming.push(startsAt - end.milliseconds + 1);
  }
  for (const { startsAt, endsAt } of facts.stays) coming.push(startsAt, endsAt);
  for (const { rollouts } of facts.definitions.withRollout) for (const { startsAt } of rollouts) coming.push(startsAt);
  // What happens at this very moment was compared with the instant before it: one millisecond later that is another answer.
  if (coming.includes(moment)) return moment + 1;
  return coming.reduce((soonest, at) => (at > moment && at < soonest ? at : soonest), Infinity);
}
