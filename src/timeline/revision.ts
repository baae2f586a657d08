import type { Moment } from './facts.ts';

/** The moment of the change that bears a revision: the clock of the change, cut to the millisecond. */
export const momentOf = (revision: number): Moment => Math.floor(revision / 1000);
