import type { Definitions, Facts, Stay } from '../timeline/facts.ts';

/** What of a stay decides whether it counts, and until when. */
export type HeldStay = Pick<Stay, 'segmentId' | 'excluded' | 'startsAt' | 'endsAt'>;

/**
 * Facts of what a copy holds of a user: enough for how the user stands with a segment from now on. Who began a stay, why and
 * since when is not held.
 */
export const presentFacts = (userId: string, revision: number, definitions: Definitions, stays: readonly HeldStay[]): Facts => ({
  userId,
  revision,
  definitions,
  stays: stays.map(({ segmentId, excluded, startsAt, endsAt }) => ({
    segmentId,
    excluded,
    startsAt,
    endsAt,
    since: startsAt,
    begunBy: '',
    begunCause: 'request',
    endedBy: null,
    endedCause: null,
  })),
});
