import { bucketOfUser } from './core-run.ts';
import type { ModelCommand } from './reference-model.ts';

/** A small fast generator of random numbers (mulberry32, Tommy Ettinger, public domain), so that a seed replays a history. */
export function randomSource(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    chance: (probability: number) => next() < probability,
    one: <T>(list: readonly T[]): T => list[below(list.length)]!,
  };
}

export const slugs = ['A', 'B', 'C'];
export const horizon = 60;

type Random = ReturnType<typeof randomSource>;

/** What a history is about, besides what all are. */
interface Theme {
  /** Names of exclusive groups, once more for each share of the segments that are in it. */
  groups: (string | undefined)[];
  /** How many of the percentages are planned. */
  schedules: number;
  /** How many of the adds are planned. */
  plans: number;
}

/**
 * About fifteen commands within a minute on three slugs: dense enough that ends, starts, removals, percentages and deletions
 * meet in one second, that a group's ring gets full, and that slugs are created again with memberships of their former life
 * still running. Rings take most of the time, so one history in seven has groups.
 */
export function randomHistory(seed: number): ModelCommand[] {
  const random = randomSource(seed);
  const theme: Theme = {
    groups: random.chance(0.15) ? random.one(groupings(random)) : [undefined],
    schedules: random.chance(0.12) ? 0.6 : 0,
    plans: random.chance(0.4) ? 0.4 : 0,
  };
  const commands: ModelCommand[] = [];
  const planned = new Set<number>();
  for (const slug of slugs.slice(0, 1 + random.below(3))) commands.push(randomCreate(random, theme, commands.length, slug));
  for (let at = 3 + random.below(3); at < horizon; at += 1 + random.below(random.one([2, 6, 9]))) {
    const kind = random.one([
      'create',
      'percent',
      'percent',
      'delete',
      ...Array.from({ length: 9 }, () => 'patch' as const),
    ] as const);
    // Whoever changes a segment waits until what is planned for this very moment has come.
    if (kind === 'patch' || planned.has(at)) {
      commands.push(randomPatch(random, theme, at));
      continue;
    }
    const [slug, by] = [random.one(slugs), random.one(actors)];
    if (kind === 'create') commands.push(randomCreate(random, theme, at, slug));
    else if (kind === 'delete') commands.push({ kind, at, slug, by });
    else commands.push(randomPercent(random, theme, at, slug, planned));
  }
  return commands;
}

const actors = ['ann', 'bob', 'cyd'];

function groupings(random: Random): Theme['groups'][] {
  const [group, other] = [`G${random.below(100)}`, `H${random.below(100)}`];
  return [[group], [group, group, undefined], [group, group, other]];
}

/** Quarters, and what just takes the user in or just does not where it begins at 0 or a quarter. */
function randomBuckets(random: Random, { groups }: Theme): number {
  const [group] = groups;
  if (group === undefined) return random.one([0, 0, 2500, 5000, 7500, 10_000]);
  const odd = (bucketOfUser(group) % random.one([2500, 5000, 10_000])) + random.below(2);
  return random.one([0, 0, 2500, 2500, 5000, 7500, 10_000, odd]);
}

function randomCreate(random: Random, theme: Theme, at: number, slug: string): ModelCommand {
  const group = random.one(theme.groups);
  const salt = `${slug}${random.below(100)}`;
  const buckets = randomBuckets(random, theme);
  return { kind: 'create', at, slug, buckets, salt, ...(group !== undefined && { group }), by: random.one(actors) };
}

/** Of those planned it makes known when. */
function randomPercent(random: Random, theme: Theme, at: number, slug: string, planned: Set<number>): ModelCommand {
  const by = random.one(actors);
  if (!random.chance(theme.schedules)) return { kind: 'percent', at, slug, buckets: randomBuckets(random, theme), by };
  const effectiveAt = planned.size > 0 && random.chance(0.4) ? random.one([...planned]) : at + 1 + random.below(20);
  if (effectiveAt <= at) return { kind: 'percent', at, slug, buckets: randomBuckets(random, theme), by };
  if (planned.has(effectiveAt) && random.chance(0.3)) return { kind: 'cancel', at, slug, effectiveAt, by };
  planned.add(effectiveAt);
  return { kind: 'percent', at, slug, buckets: randomBuckets(random, theme), effectiveAt, by };
}

function randomPatch(random: Random, { groups, plans }: Theme, at: number): ModelCommand {
  const [by, cause] = [random.one(actors), random.one(['request', 'import'] as const)];
  const named = slugs.filter(() => random.chance(groups.length > 1 || groups[0] !== undefined ? 0.35 : 0.5));
  const list = named.length > 0 ? named : [random.one(slugs)];
  const add = list.filter(() => random.chance(0.6));
  const remove = list.filter((slug) => !add.includes(slug));
  if (add.length === 0) return { kind: 'patch', at, add, remove, by, cause };
  const startsAt = random.chance(plans) ? at + 1 + random.below(12) : undefined;
  const end = random.one([undefined, { ttl: 1 + random.below(12) }, { expiresAt: (startsAt ?? at) + 1 + random.below(12) }]);
  const replaceInGroup = startsAt === undefined && random.chance(0.4);
  return {
    kind: 'patch',
    at,
    add,
    remove,
    ...(startsAt !== undefined && { startsAt }),
    ...(end && { end }),
    ...(replaceInGroup && { replaceInGroup }),
    by,
    cause,
  };
}
