import type { Moment } from '../../../src/timeline/facts.ts';

/** Told of each violation, by the name of the check that found it. */
export type Report = (check: string, what: string) => void;

export const sameTexts = (some: readonly string[], others: readonly string[]): boolean =>
  some.length === others.length && some.every((one, i) => one === others[i]);

export const momentText = (moment: Moment): string => new Date(moment).toISOString();
