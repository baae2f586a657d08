export interface Random {
  /** A whole number from 0, below `bound`. */
  below(bound: number): number;
  pick<T>(from: readonly T[]): T;
  /** True in so many of a hundred. */
  chance(percent: number): boolean;
}

/** SplitMix32 (Steele, Lea, Flood, 2014, with 32 bits): the same numbers for the same seed. */
export function randomOf(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const below = (bound: number) => Math.floor((next() / 2 ** 32) * bound);
  return { below, pick: (from) => from[below(from.length)]!, chance: (percent) => below(100) < percent };
}
