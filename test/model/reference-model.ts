/** A change as it was asked for, in whole seconds. `buckets` is the percentage times 100: it covers [0, buckets) of 10,000. */
export type ModelCommand =
  | { kind: 'create'; at: number; slug: string; buckets: number; salt: string; by: string }
  | { kind: 'percent'; at: number; slug: string; buckets: number; by: string }
  | { kind: 'delete'; at: number; slug: string; by: string }
  | ModelPatch;

export interface ModelPatch {
  kind: 'patch';
  at: number;
  add: string[];
  remove: string[];
  /** None makes the added permanent. A ttl of n set at s means in for s..s+n-1; `expiresAt` is the first second out. */
  end?: { ttl: number } | { expiresAt: number };
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
  /** What the percentage covers at that second; 0 once the segment is deleted. */
  buckets: number;
}

/** `changed`: something was recorded. `unknown`: the slugs not living then, for which the whole patch was refused. */
export type ModelAnswer = { added: string[]; removed: string[]; unchanged: string[]; changed: boolean } | { unknown: string[] };

export interface ModelRun {
  /** The slugs effective at that second, sorted. */
  members(second: number): string[];
  /** Those in [0, horizon] in time order; within a second removes first, then by slug. */
  events: ModelEvent[];
  /** One for every patch, by its `at`; slugs in the order of the request, `add` before `remove`. */
  answers: Map<number, ModelAnswer>;
  /** Undefined where no life of the slug began up to that second. */
  why(slug: string, second: number): ModelWhy | undefined;
}

/** What was last said of the user by hand: in until `end` (Infinity while permanent), or kept out of the percentage. */
interface Stay {
  effect: 'include' | 'exclude';
  end: number;
  by: string;
}

/** A segment from its creation to its deletion, with what stands for the user at the second being replayed. */
interface Life {
  slug: string;
  createdAt: number;
  /** Where the user falls under this life's salt. */
  bucket: number;
  buckets: number;
  percentBy: string;
  deletedBy: string | null;
  stay: Stay | null;
  /** Who had set the end that falls on this very second. */
  expiredBy: string | null;
  events: ModelEvent[];
  /** One for every second from `createdAt` on; the last one holds for ever. */
  seconds: Omit<ModelWhy, 'since' | 'until'>[];
}

/**
 * What one user's segments were at every second, told by replaying raw commands second by second over plain mutable state:
 * slow, and meant to be obviously right. It knows explicit adds with and without an end, removals, exclusions, percentages,
 * deletions and slugs created again; it knows no groups, no schedules and no plans.
 *
 * Commands have strictly increasing `at` from 0 on (one a second at most), ends lie after their command, and a slug is named
 * once in a patch. A `create` of a living slug and a `percent` or `delete` of one that does not live are ignored. The run goes
 * on behind the horizon until every command and every end has come, so its cost grows with the furthest of them.
 *
 * @throws {RangeError} when the commands are not in order
 */
export function replay(commands: readonly ModelCommand[], horizon: number, bucketOf: (salt: string) => number): ModelRun {
  const lives: Life[] = [];
  const living = new Map<string, Life>();
  const answers = new Map<number, ModelAnswer>();
  const last = commands.reduce((latest, command) => Math.max(latest, furthestMoment(command)), horizon);
  let next = 0;

  for (let second = 0; second <= last; second++) {
    // What time alone does comes first, so a command at the second of an end already finds the user without that stay.
    for (const life of living.values()) expire(life, second);

    const command = commands[next]?.at === second ? commands[next++] : undefined;
    if (command?.kind === 'patch') {
      answers.set(second, patch(living, command));
    } else if (command?.kind === 'create') {
      if (!living.has(command.slug)) {
        const life = begin(command, bucketOf(command.salt));
        lives.push(life);
        living.set(life.slug, life);
      }
    } else if (command) {
      const life = living.get(command.slug);
      if (life) define(life, command);
    }

    for (const life of living.values()) {
      if (isIn(life) !== wasIn(life)) life.events.push(eventOf(life, second, command));
      life.seconds.push(explain(life));
      if (life.deletedBy !== null) living.delete(life.slug);
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
      return { ...then, since, until };
    },
  };
}

function furthestMoment(command: ModelCommand): number {
  return command.kind === 'patch' && command.end ? endOf(command) : command.at;
}

function endOf({ at, end }: ModelPatch): number {
  if (!end) return Infinity;
  return 'ttl' in end ? at + end.ttl : end.expiresAt;
}

function begin({ slug, at, buckets, by }: ModelCommand & { kind: 'create' }, bucket: number): Life {
  const nothingSaid = { deletedBy: null, stay: null, expiredBy: null };
  return { slug, createdAt: at, bucket, buckets, percentBy: by, ...nothingSaid, events: [], seconds: [] };
}

function define(life: Life, command: ModelCommand & { kind: 'percent' | 'delete' }): void {
  if (command.kind === 'delete') {
    life.deletedBy = command.by;
  } else if (command.buckets !== life.buckets) {
    life.buckets = command.buckets;
    life.percentBy = command.by;
  }
}

function expire(life: Life, second: number): void {
  life.expiredBy = null;
  if (life.stay?.end !== second) return;
  life.expiredBy = life.stay.by;
  life.stay = null;
}

function patch(living: ReadonlyMap<string, Life>, command: ModelPatch): ModelAnswer {
  const named = [...command.add, ...command.remove];
  const unknown = named.filter((slug) => !living.has(slug));
  if (unknown.length > 0) return { unknown };

  const answer = { added: [] as string[], removed: [] as string[], unchanged: [] as string[], changed: false };
  for (const slug of named) {
    const life = living.get(slug)!;
    const recorded = command.add.includes(slug) ? add(life, command) : remove(life, command);
    answer.changed ||= recorded;
    // Against the second before, not against what expiry left: removing at the very second of an end is `removed`, though
    // time did it and perhaps nothing was recorded; adding then is `unchanged`, though a new stay begins.
    if (isIn(life) === wasIn(life)) answer.unchanged.push(slug);
    else (isIn(life) ? answer.added : answer.removed).push(slug);
  }
  return answer;
}

/** True when something was recorded. Over an exclusion or over nothing a stay begins; over a membership its end moves. */
function add(life: Life, command: ModelPatch): boolean {
  const end = endOf(command);
  const hasTtl = command.end !== undefined && 'ttl' in command.end;
  // A TTL counts from now, so it is a new end and a new setter even where the sum comes out the same.
  if (!hasTtl && life.stay?.effect === 'include' && life.stay.end === end) return false;
  life.stay = { effect: 'include', end, by: command.by };
  return true;
}

/** True when something was recorded. */
function remove(life: Life, command: ModelPatch): boolean {
  if (life.stay?.effect === 'exclude') return false;
  const hadStay = life.stay !== null;
  // Any percentage above 0 counts, also one that does not cover the user: a later raise would.
  life.stay = life.buckets > 0 ? { effect: 'exclude', end: Infinity, by: command.by } : null;
  return hadStay || life.stay !== null;
}

function isIn(life: Life): boolean {
  if (life.deletedBy !== null) return false;
  return life.stay ? life.stay.effect === 'include' : life.bucket < life.buckets;
}

function wasIn(life: Life): boolean {
  return life.seconds.at(-1)?.member ?? false;
}

function eventOf(life: Life, second: number, command: ModelCommand | undefined): ModelEvent {
  const operation = isIn(life) ? 'add' : 'remove';
  const event = (cause: ModelEvent['cause'], actor: string) =>
    ({ at: second, segment: life.slug, operation, cause, actor }) as const;
  if (life.deletedBy !== null) return event('segment_deleted', life.deletedBy);
  // Before the command, even where a percentage would have kept the user in had this second's command not forbidden it.
  // It cannot be an entry: who had a stay until now was in.
  if (life.expiredBy !== null) return event('ttl', life.expiredBy);
  if (command?.kind === 'patch') return event(command.cause, command.by);
  return event('rollout', life.percentBy);
}

function explain(life: Life): Life['seconds'][number] {
  const buckets = life.deletedBy === null ? life.buckets : 0;
  const because = (word: string, changedBy: string | null) => ({ member: isIn(life), because: word, changedBy, buckets });
  if (life.deletedBy !== null) return because('segment_deleted', life.deletedBy);
  if (life.stay) return because(life.stay.effect === 'include' ? 'added' : 'excluded', life.stay.by);
  if (isIn(life)) return because('rollout', life.percentBy);
  const exit = life.events.at(-1);
  if (exit?.cause === 'ttl') return because('expired', exit.actor);
  if (exit && exit.cause !== 'rollout') return because('removed', exit.actor);
  // Who set the percentage in force, which may be a later one than that which took the user out.
  if (exit || buckets > 0) return because('not_covered', life.percentBy);
  return because('never_added', null);
}

function stateAt(life: Life, second: number): Life['seconds'][number] | undefined {
  return life.seconds[Math.min(second - life.createdAt, life.seconds.length - 1)];
}

function inHistoryOrder(a: ModelEvent, b: ModelEvent): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.operation !== b.operation) return a.operation === 'remove' ? -1 : 1;
  return a.segment < b.segment ? -1 : 1;
}
