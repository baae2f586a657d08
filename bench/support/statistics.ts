/** What one round of one contender gave: figures by name. */
export type Sample = Readonly<Record<string, number>>;

/** The middle value, or the mean of the two in the middle. Throws for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) throw new Error('a median of no values');
  return (low + high) / 2;
}

/** The smallest value that at least `percent` of all do not exceed (nearest rank). Throws for none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (found === undefined) throw new Error('a percentile of no values');
  return found;
}

/**
 * The median of the ratios of each round. The two samples of a round are neighbours in time, so what slows the machine
 * down for a while slows both down, and what hits only one of them is one outlier.
 */
export function ratio(over: readonly number[], under: readonly number[]): number {
  if (over.length !== under.length) throw new Error(`a ratio of ${over.length} rounds to ${under.length}`);
  return median(over.map((value, round) => value / under[round]!));
}

/** Runs all contenders in turn, once to warm up and then `rounds` times: A B C, A B C, … Answers the samples by contender. */
export async function interleave<Name extends string, One>(
  contenders: Readonly<Record<Name, () => Promise<One>>>,
  rounds: number,
): Promise<Record<Name, One[]>> {
  const entries = Object.entries(contenders) as [Name, () => Promise<One>][];
  const samples = Object.fromEntries(entries.map(([name]) => [name, [] as One[]])) as Record<Name, One[]>;
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of entries) {
      const sample = await run();
      if (round >= 0) samples[name].push(sample);
    }
  }
  return samples;
}

/** One figure of the samples, round by round. */
export function figureOf<Name extends string>(samples: readonly Readonly<Record<Name, number>>[], name: Name): number[] {
  return samples.map((sample) => sample[name]);
}
