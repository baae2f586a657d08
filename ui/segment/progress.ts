import type { Import } from '../api/answers.ts';

/** How far an import was at a moment. */
export interface Sample {
  readonly at: number;
  readonly rows: number;
}

const windowMs = 10_000;

/** Rows that are dealt with. */
export const rowsDone = ({ applied, unchanged, rejected }: Import): number => applied + unchanged + rejected;

export const isOver = ({ state }: Import): boolean => state !== 'receiving' && state !== 'running';

/** With one more; those of the last ten seconds tell the rate. */
export const withSample = (samples: readonly Sample[], sample: Sample): Sample[] =>
  [...samples, sample].filter(({ at }, i, all) => at >= sample.at - windowMs || i >= all.length - 2);

/** Rows a second, or null while that is not known. */
export function rateOf(samples: readonly Sample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.at - first.at < 500) return null;
  const rate = ((last.rows - first.rows) * 1000) / (last.at - first.at);
  return rate > 0 ? rate : null;
}

/** What is left, in milliseconds, or null while that is not known. */
export function timeLeft(samples: readonly Sample[], total: number): number | null {
  const rate = rateOf(samples);
  const last = samples.at(-1);
  return rate === null || !last ? null : (Math.max(0, total - last.rows) / rate) * 1000;
}

/**
 * How far something is, for a screen reader: it changes at the beginning and at each quarter. What is seen changes each moment,
 * and who has to hear all of it hears nothing else.
 */
export function quarterWords(done: number, total: number, what: string): string {
  const quarter = total > 0 ? Math.min(3, Math.floor((done / total) * 4)) : 0;
  return quarter === 0 ? `${what} …` : `${what}: ${quarter * 25} %`;
}
