import { livingAt } from './definitions.ts';
import { type Cause, type CommandCause, type Facts, lastMoment, type Moment, type Segment, type Stay } from './facts.ts';
import { inForce, pairOf, segmentOf, standingAt, stayKey, staysOf } from './pair.ts';

/** Where what is added ends. A TTL counts from the moment at which the decision is applied. */
export type End =
  | { readonly kind: 'never' }
  | { readonly kind: 'at'; readonly moment: Moment }
  | { readonly kind: 'ttl'; readonly milliseconds: number };

/** What somebody asks for one user. No slug stands twice in the two lists together. */
export interface Command {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** The end of all of `add`. */
  readonly end: End;
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

/** A stay that starts at the moment of applying. */
export interface Beginning {
  readonly segmentId: number;
  readonly excluded: boolean;
  readonly end: End;
  /** Null: the moment of applying. */
  readonly since: Moment | null;
  readonly cause: CommandCause;
  readonly by: string;
}

/** What a command means for the rows, and what its sender is told. Empty lists of rows: nothing is to be written. */
export interface Decision {
  readonly endings: readonly Ending[];
  readonly beginnings: readonly Beginning[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: readonly string[];
  /** It holds for every moment from the one it was made for, as long as that is before this one. */
  readonly goodUntil: Moment;
}

/** Why a command cannot be carried out. */
export type Refusal =
  | { readonly refused: 'segment_not_found'; readonly slugs: readonly { readonly path: string; readonly slug: string }[] }
  | { readonly refused: 'end_not_future'; readonly end: Moment }
  | { readonly refused: 'end_too_late'; readonly latestMilliseconds: number };

/** One slug of a command: the stays that stop and start for it. */
interface Step {
  readonly endings: readonly Ending[];
  readonly beginning: Beginning | null;
}

const nothing: Step = { endings: [], beginning: null };

/**
 * Every rule about adding and removing. Needs the user's current and planned stays.
 * `added`, `removed` and `unchanged` compare the instant before the moment with the moment.
 */
export function decide(facts: Facts, command: Command, moment: Moment): Decision | Refusal {
  const refusal = refuse(facts, command, moment);
  if (refusal) return refusal;

  const steps: Step[] = [];
  const answer = { added: [] as string[], removed: [] as string[], unchanged: [] as string[] };
  for (const [slug, isAdd] of [
    ...command.add.map((slug) => [slug, true] as const),
    ...command.remove.map((slug) => [slug, false] as const),
  ]) {
    const segment = livingAt(facts.definitions, slug, moment)!;
    const step = isAdd ? adding(facts, segment, command, moment) : removing(facts, segment, command, moment);
    steps.push(step);
    const wasIn = standingAt(pairOf(facts, segment), moment - 1).member; // nothing changes within a millisecond
    answer[wasIn === isAdd ? 'unchanged' : isAdd ? 'added' : 'removed'].push(slug);
  }

  const endings = steps.flatMap((step) => step.endings);
  const beginnings = steps.flatMap((step) => step.beginning ?? []);
  if (endings.length + beginnings.length > 0) endings.push(...leftovers(facts, endings, moment));
  return { endings, beginnings, ...answer, goodUntil: goodUntil(facts, command, moment) };
}

function refuse(facts: Facts, { add, remove, end }: Command, moment: Moment): Refusal | undefined {
  const named = [
    ...add.map((slug, i) => ({ path: `add/${i}`, slug })),
    ...remove.map((slug, i) => ({ path: `remove/${i}`, slug })),
  ];
  const slugs = named.filter(({ slug }) => !livingAt(facts.definitions, slug, moment));
  if (end.kind === 'at' && end.moment <= moment) return { refused: 'end_not_future', end: end.moment };
  if (end.kind === 'ttl' && moment + end.milliseconds > lastMoment) {
    return { refused: 'end_too_late', latestMilliseconds: lastMoment - moment };
  }
  return slugs.length > 0 ? { refused: 'segment_not_found', slugs } : undefined;
}

function adding(facts: Facts, segment: Segment, { end, actor, cause }: Command, moment: Moment): Step {
  const { present, planned } = standing(facts, segment, moment);
  const member = present?.excluded === false ? present : undefined;
  if (member && planned.length === 0 && hasEnd(member, end)) return nothing;
  return {
    endings: [...(present ? [present] : []), ...planned].map((stay) => ending(stay, cause, actor)),
    beginning: { segmentId: segment.id, excluded: false, end, since: member?.since ?? null, cause, by: actor },
  };
}

function removing(facts: Facts, segment: Segment, { actor, cause }: Command, moment: Moment): Step {
  const { present, planned } = standing(facts, segment, moment);
  const isExcluded = present?.excluded === true;
  const exclude = !isExcluded && segment.rollouts.some((rollout) => rollout.endsAt > moment && rollout.ranges.length > 0);
  return {
    endings: [...(present && !isExcluded ? [present] : []), ...planned].map((stay) => ending(stay, cause, actor)),
    beginning: exclude ? { segmentId: segment.id, excluded: true, end: { kind: 'never' }, since: null, cause, by: actor } : null,
  };
}

/** The stay of the pair that counts at the moment and those still to come, of what nobody has ended. */
function standing(facts: Facts, segment: Segment, moment: Moment): { present: Stay | undefined; planned: Stay[] } {
  const stays = staysOf(facts, segment.id).filter((stay) => stay.endedCause === null);
  return { present: inForce(stays, moment), planned: stays.filter((stay) => stay.startsAt > moment) };
}

/** A repeat that asks for the end that stands changes nothing; a TTL counts from now, so it always moves the end. */
const hasEnd = (stay: Stay, end: End) =>
  end.kind === 'never' ? stay.endsAt === Infinity : end.kind === 'at' && stay.endsAt === end.moment;

const ending = (stay: Stay, cause: Cause, by: string, endsAt: Moment | null = null): Ending => ({
  segmentId: stay.segmentId,
  startsAt: stay.startsAt,
  endsAt,
  cause,
  by,
});

/**
 * Stays that are over but lie among the current ones still: who writes the user next takes them along. One that was cut
 * ends by what cut it; where that began at this very moment and is taken back by it, by the command.
 */
function leftovers(facts: Facts, named: readonly Ending[], moment: Moment): Ending[] {
  const bySegment = Map.groupBy(
    facts.stays.filter((stay) => stay.endedCause === null).toSorted((a, b) => a.startsAt - b.startsAt),
    (stay) => stay.segmentId,
  );
  const byStay = new Map(named.map((one) => [stayKey(one), one]));
  const endingOf = (stay: Stay) => byStay.get(stayKey(stay));
  return [...bySegment.values()].flatMap((stays) =>
    stays.flatMap((stay, i) => {
      const { deletedAt, deletedBy } = segmentOf(facts, stay.segmentId);
      const next = stays[i + 1];
      const over = Math.min(stay.endsAt, deletedAt, next?.startsAt ?? Infinity);
      if (over > moment || endingOf(stay)) return [];
      // In the order of the causes of an exit.
      if (over === deletedAt) return [ending(stay, 'segment_deleted', deletedBy!, over)];
      if (over === stay.endsAt) return [ending(stay, 'ttl', stay.begunBy, over)];
      const takenBack = over === moment ? endingOf(next!) : undefined;
      return [ending(stay, takenBack?.cause ?? next!.begunCause, takenBack?.by ?? next!.begunBy, over)];
    }),
  );
}

/** The next moment at which time alone changes what the user is in, or the command itself runs out of time. */
function goodUntil(facts: Facts, { end }: Command, moment: Moment): Moment {
  const coming: Moment[] = [Infinity];
  if (end.kind === 'at') coming.push(end.moment);
  if (end.kind === 'ttl') coming.push(lastMoment - end.milliseconds + 1);
  for (const { startsAt, endsAt } of facts.stays) coming.push(startsAt, endsAt);
  for (const { rollouts } of facts.definitions.withRollout) for (const { startsAt } of rollouts) coming.push(startsAt);
  // What happens at this very moment was compared with the instant before it: one millisecond later that is another answer.
  if (coming.includes(moment)) return moment + 1;
  return coming.reduce((soonest, at) => (at > moment && at < soonest ? at : soonest), Infinity);
}
