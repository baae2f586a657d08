import { randomSource } from '../model/random-history.ts';
import { type FaultKind, faultKinds, type Place } from './faults.ts';
import type { Random } from './operations.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Strikes so many times, one after the other or two at once, in an order that the random source gives: every kind once before
 * any comes twice. `due` returns when the next one may come.
 */
export async function strikeAll(
  around: Surroundings,
  random: Random,
  count: number,
  due: (n: number) => Promise<void>,
  log: (line: string) => void,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let deck: FaultKind[] = [];
  const draw = (but?: Place): FaultKind => {
    if (deck.length === 0)
      deck = faultKinds
        .map((kind) => ({ kind, order: random.next() }))
        .sort((a, b) => a.order - b.order)
        .map(({ kind }) => kind);
    const i = Math.max(
      0,
      deck.findIndex(({ place }) => place !== but),
    );
    return deck.splice(i, 1)[0]!;
  };
  for (let n = 0; n < count;) {
    await due(n);
    const first = draw();
    const second = n + 1 < count && random.chance(0.25) ? draw(first.place) : undefined;
    const struck = second && second.place !== first.place ? [first, second] : [first];
    if (second && struck.length === 1) deck.push(second);
    log(`fault ${n + 1}: ${struck.map(({ name }) => name).join(' and ')}`);
    const sources = struck.map(() => randomSource(random.below(2 ** 31)));
    await Promise.all(struck.map(({ strike }, i) => strike(around, sources[i]!)));
    for (const { name } of struck) counts.set(name, (counts.get(name) ?? 0) + 1);
    n += struck.length;
  }
  return counts;
}
