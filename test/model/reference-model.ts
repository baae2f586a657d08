import { type Buckets, hold, type Holder, holdsNothing, isAny, rangesOf, share, shareAlone, sizeOf } from './reference-ring.ts';

/** A change as it was asked for, in whole seconds. `buckets` is the percentage times 100. */
export type ModelCommand =
  /** In a group the salt is the group's name, whatever is given. */
  | { kind: 'create'; at: number; slug: string; buckets: number; salt: string; group?: string; by: string }
  /** Now, or at `effectiveAt` to come. */
  | { kind: 'percent'; at: number; slug: string; buckets: number; effectiveAt?: number; by: string }
  /** Takes back the percentage planned for `effectiveAt`. */
  | { kind: 'cancel'; at: number; slug: string; effectiveAt: number; by: string }
  | { kind: 'delete'; at: number; slug: string; by: string }
  | ModelPatch;

export interface ModelPatch {
  kind: 'patch';
  at: number;
  add: string[];
  remove: string[];
  /** When the added begin, later than `at`; none: now. */
  startsAt?: number;
  /** None makes the added permanent. A ttl of n set at s means in for s..s+n-1; `expiresAt` is the first second out. */
  end?: { ttl: number } | { expiresAt: number };
  /** Not together with `startsAt`. */
  replaceInGroup?: boolean;
  by: string;
  cause: 'request' | 'import';
}

export interface ModelEvent {
  at: number;
  segment: string;
  operation: 'add' | 'remove';
  cause: 'request' | 'import' | 'ttl' | 'rollout' | 'segment_deleted';
  actor: string;
}

export interface ModelWhy {
  member: boolean;
  because: string;
  since: number | null;
  until: number | null;
  changedBy: string | null;
  /** What the percentage takes at that second, half-open pairs; none once the segment is deleted. */
  ranges: [number, number][];
}

/**
 * `changed`: something was recorded. What is refused changes nothing: `unknown` are the slugs not living then, `conflicts`
 * those in the way in a group, `free` the buckets that could still be had where a percentage does not fit.
 */
export type ModelAnswer =
  | { added: string[]; removed: string[]; unchanged: string[]; changed: boolean }
  | { unknown: string[] }
  | { conflicts: string[] }
  | { free: number };

export interface ModelRun {
  /** The slugs effective at that second, sorted. */
  members(second: number): string[];
  /** Those in [0, horizon] in time order; within a second removes first, then by slug. */
  events: ModelEvent[];
  /** One for every patch, by its `at`; slugs in the order of the request, `add` before `remove`; and one for what is refused. */
  answers: Map<number, ModelAnswer>;
  /** Undefined where no life of the slug began up to that second. */
  why(slug: string, second: number): ModelWhy | undefined;
}

/** What was last said of the user by hand: in until `end` (Infinity while permanent), or kept out of the percentage. */
interface Stay {
  effect: 'include' | 'exclude';
  end: number;
  by: string;
  cause: 'request' | 'import';
}

type Second = Omit<ModelWhy, 'since' | 'until' | 'ranges'> & { has: Buckets | null };

/** A segment from its creation to its deletion, with what stands for the user at the second being replayed. */
interface Life extends Holder {
  slug: string;
  createdAt: number;
  /** Where the user falls under this life's salt. */
  bucket: number;
  percentBy: string;
  isInGroup: boolean;
  /** The living ones of its group, itself too; itself alone outside of groups. */
  ring: Life[];
  deletedBy: string | null;
  stay: Stay | null;
  plan: (Stay & { start: number }) | null;
  /** Who had set the end that falls on this very second. */
  expiredBy: string | null;
  /** The command that took the user out of it, by hand, in this very second. */
  removedBy: ModelPatch | null;
  events: ModelEvent[];
  /** Whether the last exit ended a membership by hand. */
  leftByHand: boolean;
  /** One for every second from `createdAt` on; the last one holds for ever. */
  seconds: Second[];
}

/**
 * What one user's segments were at every second, told by replaying raw commands second by second over plain mutable state:
 * slow, and meant to be obviously right. It knows adds with and without a start and an end, removals, exclusions, percentages
 * now and to come, exclusive groups, deletions and slugs created again.
 *
 * Commands have strictly increasing `at` from 0 on (one a second at most), starts lie after their command and ends after that,
 * a slug is named once in a patch, and no segment changes in the second of a percentage planned before. A `create` of a living
 * slug, a change of one that does not live and a `cancel` of what is not planned are ignored. The run goes on behind the
 * horizon until all that is to come has come, so its cost grows with the furthest of it.
 *
 * @throws {RangeError} when the commands are not in order
 */
export function replay(commands: readonly ModelCommand[], horizon: number, bucketOf: (salt: string) => number): ModelRun {
  const lives: Life[] = [];
  const living = new Map<string, Life>();
  const answers = new Map<number, ModelAnswer>();
  const last = commands.reduce((latest, command) => Math.max(latest, furthestMoment(command)), horizon);
  const groups = new Map<string, Life[]>();
  let next = 0;

  for (let second = 0; second <= last; second++) {
    // What time alone does comes first, so a command at the second of an end already finds the user without that stay.
    for (const life of living.values()) passTime(life, second);

    const command = commands[next]?.at === second ? commands[next++] : undefined;
    const known = command && command.kind !== 'patch' ? living.get(command.slug) : undefined;
    let free: number | undefined;
    if (command?.kind === 'patch') {
      answers.set(second, patch(living, command));
    } else if (command?.kind === 'create') {
      if (!known) {
        const { group } = command;
        const ring = group === undefined ? [] : (groups.get(group) ?? []);
        const life = begin(command, bucketOf(group ?? command.salt), ring);
        free = change(life, { at: second, size: command.buckets, by: command.by, now: second });
        if (free === undefined) {
          ring.push(life);
          if (group !== undefined) groups.set(group, ring);
          lives.push(life);
          living.set(life.slug, life);
        }
      }
    } else if (command && known) {
      free = define(known, command);
    }
    if (free !== undefined) answers.set(second, { free });

    for (const life of living.values()) {
      if (isIn(life) !== wasIn(life)) {
        life.events.push(eventOf(life, second));
        life.leftByHand = life.seconds.at(-1)?.because === 'added';
      }
      life.seconds.push(explain(life));
    }
    if (known?.deletedBy) {
      living.delete(known.slug);
      known.ring.splice(known.ring.indexOf(known), 1);
    }
  }
  if (next < commands.length) throw new RangeError(`commands[${next}] is not later than the one before it, or not a second`);

  return {
    members: (second) => lives.flatMap((life) => (stateAt(life, second)?.member ? [life.slug] : [])).sort(),
    events: lives.flatMap((life) => life.events.filter((event) => event.at <= horizon)).sort(inHistoryOrder),
    answers,
    why(slug, second) {
      const life = lives.findLast((candidate) => candidate.slug === slug && candidate.createdAt <= second);
      const then = life && stateAt(life, second);
      if (!then) return undefined;
      const since = life.events.findLast((event) => event.at <= second)?.at ?? null;
      const until = life.events.find((event) => event.at > second)?.at ?? null;
      const { has, ...why } = then;
      return { ...why, since, until, ranges: has ? rangesOf(has) : [] };
    },
  };
}

function furthestMoment(command: ModelCommand): number {
  if (command.kind === 'percent') return command.effectiveAt ?? command.at;
  return command.kind === 'patch' ? Math.max(startOf(command), command.end ? endOf(command) : 0) : command.at;
}

const startOf = ({ at, startsAt }: ModelPatch): number => startsAt ?? at;

function endOf(command: ModelPatch): number {
  const { end } = command;
  if (!end) return Infinity;
  return 'ttl' in end ? startOf(command) + end.ttl : end.expiresAt;
}

function begin({ slug, at, group, by }: ModelCommand & { kind: 'create' }, bucket: number, ring: Life[]): Life {
  const isInGroup = group !== undefined;
  const nothingSaid = { deletedBy: null, stay: null, plan: null, expiredBy: null, removedBy: null, leftByHand: false };
  return {
    slug,
    createdAt: at,
    bucket,
    percentBy: by,
    isInGroup,
    ring,
    ...nothingSaid,
    ...holdsNothing(),
    events: [],
    seconds: [],
  };
}

/** Answers the buckets that could still be had where it does not fit. */
function change(life: Life, asked: Parameters<typeof shareAlone>[1]): number | undefined {
  if (life.isInGroup)
    return share(
      life,
      life.ring.filter((other) => other !== life),
      asked,
    );
  shareAlone(life, asked);
  return undefined;
}

/** Answers the buckets that could still be had where it does not fit. */
function define(life: Life, command: Exclude<ModelCommand, ModelPatch | { kind: 'create' }>): number | undefined {
  const { at: now, by } = command;
  if (command.kind === 'delete') {
    life.deletedBy = by;
    return undefined;
  }
  const at = command.effectiveAt ?? now;
  const planned = life.plans.find((plan) => plan.at === at);
  if (command.kind === 'cancel') return planned && change(life, { at, size: null, by, now });
  const stands = at === now ? life.has : planned?.has;
  if (stands && sizeOf(stands) === command.buckets) return undefined;
  const free = change(life, { at, size: command.buckets, by, now });
  if (free === undefined && at === now) life.percentBy = by;
  return free;
}

function passTime(life: Life, second: number): void {
  life.expiredBy = null;
  life.removedBy = null;
  if (life.stay?.end === second) {
    life.expiredBy = life.stay.by;
    life.stay = null;
  }
  if (life.plan?.start === second) {
    life.stay = life.plan;
    life.plan = null;
  }
  if (life.plans[0]?.at === second) {
    const { has, by } = life.plans.shift()!;
    if (life.isInGroup) hold(life, has, second);
    else life.has = has;
    life.percentBy = by;
  }
}

function patch(living: ReadonlyMap<string, Life>, command: ModelPatch): ModelAnswer {
  const named = [...command.add, ...command.remove];
  const unknown = named.filter((slug) => !living.has(slug));
  if (unknown.length > 0) return { unknown };

  const toAdd = command.add.map((slug) => living.get(slug)!);
  const toRemove = command.remove.map((slug) => living.get(slug)!);
  const asBefore = toRemove.map(({ stay, plan, removedBy }) => ({ stay, plan, removedBy }));
  const recorded = toRemove.map((life) => remove(life, command));
  const conflicts = conflictsOf(toAdd, command);
  if (conflicts.length > 0) {
    for (const [i, life] of toRemove.entries()) Object.assign(life, asBefore[i]);
    return { conflicts };
  }
  for (const life of toAdd) recorded.push(add(life, command));
  const others = command.replaceInGroup ? matesOf(toAdd).filter((mate) => !toRemove.includes(mate)) : [];
  for (const mate of others) recorded.push(makeRoom(mate, command));

  const answer = { added: [] as string[], removed: [] as string[], unchanged: [] as string[], changed: recorded.includes(true) };
  for (const life of [...toAdd, ...toRemove]) {
    // Against the second before, not against what expiry left: removing at the very second of an end is `removed`, though
    // time did it and perhaps nothing was recorded; adding then is `unchanged`, though a new stay begins.
    if (isIn(life) === wasIn(life)) answer.unchanged.push(life.slug);
    else (isIn(life) ? answer.added : answer.removed).push(life.slug);
  }
  for (const mate of others) if (wasIn(mate)) answer.removed.push(mate.slug);
  return answer;
}

/** The others in the rings of these, by slug. */
function matesOf(lives: readonly Life[]): Life[] {
  const rings = new Set(lives.map(({ ring }) => ring));
  const mates = [...rings].flat().filter((life) => !lives.includes(life));
  return mates.sort((a, b) => (a.slug < b.slug ? -1 : 1));
}

function conflictsOf(toAdd: readonly Life[], command: ModelPatch): string[] {
  const twice = toAdd.filter((life) => life.ring.some((other) => other !== life && toAdd.includes(other)));
  const inTheWay = (mate: Life) => toAdd.some((life) => life.ring.includes(mate) && isInTheWay(life, mate, command));
  const others = command.replaceInGroup ? [] : matesOf(toAdd).filter(inTheWay);
  return [...twice, ...others].map(({ slug }) => slug).sort();
}

function isInTheWay(life: Life, mate: Life, command: ModelPatch): boolean {
  const [from, to] = [startOf(command), endOf(command)];
  const { stay, plan } = mate;
  const stayEnd = Math.min(stay?.end ?? Infinity, plan?.start ?? Infinity);
  if (stay?.effect === 'include' && stayEnd > from) return true;
  if (plan && plan.start < to && plan.end > from) return true;
  // What holds goes on until the plan, perhaps longer than until the one that it replaces.
  const goesOnUntil = life.stay?.effect === 'include' ? Math.min(life.stay.end, from) : -1;
  if (plan && plan.start < goesOnUntil) return true;
  return command.startsAt === undefined && isIn(mate);
}

/** True when something was recorded. Over an exclusion or over nothing a stay begins; over a membership its end moves. */
function add(life: Life, command: ModelPatch): boolean {
  const stay: Stay = { effect: 'include', end: endOf(command), by: command.by, cause: command.cause };
  if (command.startsAt !== undefined) {
    if (life.plan?.start === command.startsAt && life.plan.end === stay.end) return false;
    life.plan = { ...stay, start: command.startsAt };
    return true;
  }
  const hasTtl = command.end !== undefined && 'ttl' in command.end;
  // A TTL counts from now, so it is a new end and a new setter even where the sum comes out the same.
  if (!hasTtl && !life.plan && life.stay?.effect === 'include' && life.stay.end === stay.end) return false;
  life.stay = stay;
  life.plan = null;
  return true;
}

/** True when something was recorded. */
function remove(life: Life, command: ModelPatch): boolean {
  const ended = takeOut(life, command);
  // Any percentage above 0 counts, also one that does not cover the user or is yet to come: it may one day.
  const takesSome = [life.has, ...life.plans.map(({ has }) => has)].some(isAny);
  if (life.stay || !takesSome) return ended;
  life.stay = { effect: 'exclude', end: Infinity, by: command.by, cause: command.cause };
  life.removedBy = command;
  return true;
}

/** True when something was recorded. An exclusion stands. */
const makeRoom = (life: Life, command: ModelPatch): boolean => takeOut(life, command);

/** Ends what puts the user in by hand, now or later. */
function takeOut(life: Life, command: ModelPatch): boolean {
  const wasSaid = life.stay?.effect === 'include' || life.plan !== null;
  life.plan = null;
  if (life.stay?.effect === 'include') life.stay = null;
  // What began in this very second was never seen, so nobody was taken out of it.
  if (life.seconds.at(-1)?.because === 'added') life.removedBy = command;
  return wasSaid;
}

function isIn(life: Life): boolean {
  if (life.deletedBy !== null) return false;
  return life.stay ? life.stay.effect === 'include' : isCovered(life) && !rivalOf(life);
}

const isCovered = ({ has, bucket }: Life): boolean => has[bucket] === 1;

/** What puts the user by hand in another one of the group. */
function rivalOf(life: Life): Stay | null {
  const rival = life.ring.find((other) => other !== life && other.deletedBy === null && other.stay?.effect === 'include');
  return rival?.stay ?? null;
}

function wasIn(life: Life): boolean {
  return life.seconds.at(-1)?.member ?? false;
}

function eventOf(life: Life, second: number): ModelEvent {
  const operation = isIn(life) ? 'add' : 'remove';
  const event = (cause: ModelEvent['cause'], actor: string) =>
    ({ at: second, segment: life.slug, operation, cause, actor }) as const;
  if (operation === 'add') return life.stay ? event(life.stay.cause, life.stay.by) : event('rollout', life.percentBy);
  if (life.deletedBy !== null) return event('segment_deleted', life.deletedBy);
  // Before the command, even where a percentage would have kept the user in had this second's command not forbidden it.
  if (life.expiredBy !== null) return event('ttl', life.expiredBy);
  if (life.removedBy) return event(life.removedBy.cause, life.removedBy.by);
  const rival = rivalOf(life);
  return rival ? event(rival.cause, rival.by) : event('rollout', life.percentBy);
}

function explain(life: Life): Second {
  const has = life.deletedBy === null ? life.has : null;
  const because = (word: string, changedBy: string | null) => ({ member: isIn(life), because: word, changedBy, has });
  if (life.deletedBy !== null) return because('segment_deleted', life.deletedBy);
  if (life.stay) return because(life.stay.effect === 'include' ? 'added' : 'excluded', life.stay.by);
  if (isIn(life)) return because('rollout', life.percentBy);
  const rival = isCovered(life) ? rivalOf(life) : null;
  if (rival) return because('group_taken', rival.by);
  const exit = life.events.at(-1);
  if (exit?.cause === 'ttl') return because('expired', exit.actor);
  if (exit && life.leftByHand) return because('removed', exit.actor);
  // Who set the percentage in force, which may be a later one than that which took the user out.
  if (exit || isAny(life.has)) return because('not_covered', life.percentBy);
  return because('never_added', null);
}

function stateAt(life: Life, second: number): Second | undefined {
  return life.seconds[Math.min(second - life.createdAt, life.seconds.length - 1)];
}

function inHistoryOrder(a: ModelEvent, b: ModelEvent): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.operation !== b.operation) return a.operation === 'remove' ? -1 : 1;
  return a.segment < b.segment ? -1 : 1;
}
