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

/**
 * About fifteen commands within a minute on three slugs: dense enough that ends, removals, percentages and deletions meet
 * in one second, and that slugs are created again with memberships of their former life still running.
 */
export function randomHistory(seed: number): ModelCommand[] {
  const random = randomSource(seed);
  const commands: ModelCommand[] = [];
  const actors = ['ann', 'bob', 'cyd'];
  const buckets = () => random.one([0, 0, 2500, 5000, 7500, 10_000]);
  for (const slug of slugs.slice(0, 1 + random.below(3))) {
    commands.push({
      kind: 'create',
      at: commands.length,
      slug,
      buckets: buckets(),
      salt: `${slug}${random.below(100)}`,
      by: random.one(actors),
    });
  }
  for (let at = 3 + random.below(3); at < horizon; at += 1 + random.below(random.one([2, 6, 9]))) {
    const by = random.one(actors);
    const slug = random.one(slugs);
    const kind = random.one([
      'create',
      'percent',
      'percent',
      'delete',
      ...Array.from({ length: 9 }, () => 'patch' as const),
    ] as const);
    if (kind === 'create') commands.push({ kind, at, slug, buckets: buckets(), salt: `${slug}${random.below(100)}`, by });
    else if (kind === 'percent') commands.push({ kind, at, slug, buckets: buckets(), by });
    else if (kind === 'delete') commands.push({ kind, at, slug, by });
    else commands.push(randomPatch(random, at, by));
  }
  return commands;
}

function randomPatch(random: ReturnType<typeof randomSource>, at: number, by: string): ModelCommand {
  const named = slugs.filter(() => random.chance(0.5));
  const list = named.length > 0 ? named : [random.one(slugs)];
  const add = list.filter(() => random.chance(0.6));
  const remove = list.filter((slug) => !add.includes(slug));
  const end = random.one([undefined, { ttl: 1 + random.below(12) }, { expiresAt: at + 1 + random.below(12) }]);
  const cause = random.one(['request', 'import'] as const);
  return { kind: 'patch', at, add, remove, ...(add.length > 0 && end ? { end } : {}), by, cause };
}
