import { covers } from '../../src/rollout/ranges.ts';
import type { Cause, HistoryEvent, Stay, Why } from '../api/answers.ts';

/** A time in which the user was in a segment, or was kept out of it by hand; in milliseconds, without its end. */
export interface Bar {
  readonly from: number;
  /** `Infinity`: no end is known. After now: foreseen. */
  readonly to: number;
  readonly effect: 'in' | 'kept-out';
  /** Why it began. Of plans, and of what began before what is kept, it is `request`; `rollout` where nobody says so by hand. */
  readonly cause: Cause;
  readonly by: string | null;
  /** How it ended, where it has. */
  readonly end: { readonly cause: Cause; readonly by: string } | null;
  /** Where the end that was set by hand takes nobody out, since the percentage goes on: when that is. */
  readonly percentageFrom: number | null;
  readonly isPlanned: boolean;
}

export interface Lane {
  readonly segment: string;
  readonly bars: readonly Bar[];
}

export interface Timeline {
  readonly lanes: readonly Lane[];
  /** When the user came or went, past and foreseen, in order. */
  readonly moments: readonly number[];
  readonly now: number;
}

export interface Told {
  /** In time order. */
  readonly events: readonly HistoryEvent[];
  /** From where on the events are kept. */
  readonly keptFrom: number;
  readonly standing: readonly Stay[];
  readonly ended: readonly Stay[];
  /** What the service foresees of those for which an end was set by hand. */
  readonly foreseen: readonly Why[];
  /** What the service says that the user is in. */
  readonly segments: readonly string[];
  readonly now: number;
}

/** The stays of a user, a lane a segment: those the user is in first, then those to come, then the rest, each by slug. */
export function timelineOf(told: Told): Timeline {
  const bySegment = new Map<string, Bar[]>();
  const add = (segment: string, bar: Bar) => {
    const bars = bySegment.get(segment);
    if (bars) bars.push(bar);
    else bySegment.set(segment, [bar]);
  };
  addPast(told, add);
  addSaid(told, add);
  const lanes = [...bySegment].map(([segment, bars]) => ({ segment, bars: bars.toSorted((a, b) => a.from - b.from) }));
  lanes.sort((a, b) => rankOf(a, told.now) - rankOf(b, told.now) || (a.segment < b.segment ? -1 : 1));
  const moments = lanes.flatMap(({ bars }) => turnsOf(bars.filter(({ effect }) => effect === 'in')));
  return { lanes, moments: [...new Set(moments)].toSorted((a, b) => a - b), now: told.now };
}

/** Where one bar ends and the next one begins at once, a plan takes over: nobody comes or goes. */
function turnsOf(bars: readonly Bar[]): number[] {
  const ends = new Set(bars.map(({ to }) => to));
  const starts = new Set(bars.map(({ from }) => from));
  return [...starts].filter((at) => !ends.has(at)).concat([...ends].filter((at) => Number.isFinite(at) && !starts.has(at)));
}

/** What has happened: entries and exits alternate. What runs still has the end that is foreseen, or a plan takes over. */
function addPast(told: Told, add: (segment: string, bar: Bar) => void) {
  const { events, keptFrom, standing, segments, now } = told;
  const open = new Map<string, HistoryEvent>();
  for (const event of events) {
    if (event.operation === 'add') {
      open.set(event.segment, event);
      continue;
    }
    const entry = open.get(event.segment);
    open.delete(event.segment);
    add(event.segment, {
      ...begunBy(entry, keptFrom),
      to: Date.parse(event.at),
      end: { cause: event.cause, by: event.actor },
      percentageFrom: null,
    });
  }
  const included = standing.filter(({ effect }) => effect === 'include');
  const byHand = new Map(included.filter((stay) => !isToCome(stay, now)).map((stay) => [stay.segment, stay]));
  const plans = new Map(included.filter((stay) => isToCome(stay, now)).map((stay) => [stay.segment, stay]));
  const runs = (segment: string) => {
    const plan = plans.get(segment);
    return { ...endOf(segment, byHand.get(segment), told, plan ? Date.parse(plan.starts_at) : Infinity), end: null };
  };
  for (const [segment, entry] of open) add(segment, { ...begunBy(entry, keptFrom), ...runs(segment) });
  const heardOf = new Set(events.map(({ segment }) => segment));
  for (const segment of segments)
    if (!heardOf.has(segment)) add(segment, { ...begunBefore(byHand.get(segment), keptFrom), ...runs(segment) });
}

const isToCome = (stay: Stay, now: number): boolean => Date.parse(stay.starts_at) > now;
const saidEnd = (stay: Stay | undefined): number => (stay?.ends_at ? Date.parse(stay.ends_at) : Infinity);

/**
 * When the user is out of a segment again, in which a stay put them, if nothing more is said; at the latest when something
 * else `takesOver`. The service foresees the next time that the user comes or goes; what comes after that is judged by the
 * percentage of now.
 */
function endOf(segment: string, stay: Stay | undefined, { foreseen, now }: Told, takesOver = Infinity) {
  const said = saidEnd(stay);
  const from = stay && isToCome(stay, now) ? Date.parse(stay.starts_at) : now;
  const why = foreseen.find((one) => one.segment === segment);
  const to = Math.min((why && outAfter(why, from, now)) ?? said, takesOver);
  return { to, percentageFrom: said < to ? said : null };
}

/** When who is in from that moment on is out, as far as the answer tells. */
function outAfter({ member, until, rollout }: Why, from: number, now: number): number | undefined {
  if (!member) return from > now && rollout && covers(rollout.ranges, rollout.bucket) ? Infinity : undefined;
  const out = until === null ? Infinity : Date.parse(until);
  return out > from ? out : undefined;
}

/** What was said by hand and makes no event: exclusions, and plans. */
function addSaid(told: Told, add: (segment: string, bar: Bar) => void) {
  const { standing, ended, now } = told;
  for (const stay of [...standing, ...ended]) {
    const isPlanned = isToCome(stay, now) && stay.ended_cause === undefined;
    if (stay.effect === 'include' && !isPlanned) continue;
    add(stay.segment, {
      from: Date.parse(stay.starts_at),
      ...(isPlanned ? endOf(stay.segment, stay, told) : { to: saidEnd(stay), percentageFrom: null }),
      effect: stay.effect === 'include' ? 'in' : 'kept-out',
      cause: 'request',
      by: stay.changed_by,
      end: stay.ended_cause && stay.ended_by ? { cause: stay.ended_cause, by: stay.ended_by } : null,
      isPlanned,
    });
  }
}

const begunBy = (entry: HistoryEvent | undefined, keptFrom: number) =>
  ({
    from: entry ? Date.parse(entry.at) : keptFrom,
    effect: 'in',
    cause: entry?.cause ?? 'request',
    by: entry?.actor ?? null,
    isPlanned: false,
  }) as const;

/** Of what no event tells, since it began before those that are kept: what stands by hand says since when it stands so. */
const begunBefore = (stay: Stay | undefined, keptFrom: number) =>
  ({
    from: stay ? Date.parse(stay.starts_at) : keptFrom,
    effect: 'in',
    cause: stay ? 'request' : 'rollout',
    by: stay?.changed_by ?? null,
    isPlanned: false,
  }) as const;

function rankOf({ bars }: Lane, now: number): number {
  if (bars.some((bar) => bar.effect === 'in' && holds(bar, now))) return 0;
  return bars.some(({ isPlanned }) => isPlanned) ? 1 : 2;
}

/** What begins at a moment counts at it, what ends then does not. */
export const holds = ({ from, to }: Bar, at: number): boolean => from <= at && at < to;

/** What the user is in at a moment, by slug. */
export const inAt = ({ lanes }: Timeline, at: number): { segment: string; bar: Bar }[] =>
  lanes
    .flatMap(({ segment, bars }) => bars.filter((bar) => bar.effect === 'in' && holds(bar, at)).map((bar) => ({ segment, bar })))
    .toSorted((a, b) => (a.segment < b.segment ? -1 : 1));

/** The next moment, or the one before, at which the user comes or goes. Coming and going are seen at it and after it. */
export function momentBeside({ moments }: Timeline, at: number, direction: 'before' | 'after'): number | undefined {
  if (direction === 'after') return moments.find((moment) => moment > at);
  return moments.findLast((moment) => moment < at);
}

/** The next moment after now at which something begins or ends by itself. */
export function nextByItself({ lanes, now }: Timeline): number | undefined {
  const all = lanes.flatMap(({ bars }) => bars.flatMap(({ from, to, percentageFrom }) => [from, to, percentageFrom ?? Infinity]));
  const coming = all.filter((at) => at > now);
  const next = Math.min(...coming);
  return Number.isFinite(next) ? next : undefined;
}
