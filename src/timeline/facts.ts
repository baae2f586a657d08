import type { Ranges } from '../rollout/ranges.ts';

/** A point in time: whole milliseconds since 1970-01-01T00:00:00Z. `Infinity` stands for an end that never comes. */
export type Moment = number;

/** The latest moment that may be named: the last millisecond of the year 9999. */
export const lastMoment: Moment = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** What a command can be the cause of: somebody's request, or a row of an import. */
export type CommandCause = 'request' | 'import';

/** Why somebody entered or left. */
export type Cause = CommandCause | 'ttl' | 'rollout' | 'segment_deleted';

/** The buckets that a segment takes from `startsAt` until `endsAt`; none at 0 percent. */
export interface Rollout {
  readonly startsAt: Moment;
  readonly endsAt: Moment;
  readonly ranges: Ranges;
  /** Who set it. */
  readonly changedBy: string;
}

/** One life of a slug. A slug deleted and created again is another segment with another id. */
export interface Segment {
  readonly id: number;
  readonly slug: string;
  readonly salt: string;
  readonly exclusiveGroup: string | null;
  readonly createdAt: Moment;
  readonly createdBy: string;
  /** `Infinity` while it lives. */
  readonly deletedAt: Moment;
  readonly deletedBy: string | null;
  /** By their start; the first begins with the segment and each begins where the one before ends. */
  readonly rollouts: readonly Rollout[];
}

/**
 * A user put in a segment by hand, or kept out of it (`excluded`). It counts from `startsAt` until `endsAt` or until the
 * next stay of the same user and segment starts, whichever comes first, and never past the end of the segment.
 */
export interface Stay {
  readonly segmentId: number;
  readonly startsAt: Moment;
  readonly endsAt: Moment;
  /** Start of the unbroken stretch: moving an end ends one stay and begins the next with the same `since`. */
  readonly since: Moment;
  readonly excluded: boolean;
  /** Who set it, and its end. */
  readonly begunBy: string;
  readonly begunCause: CommandCause;
  /** Null while nobody has ended it: it then ends by itself at `endsAt`. */
  readonly endedBy: string | null;
  readonly endedCause: Cause | null;
}

/** All that is known of one user. Everything that the service says about the user follows from it. */
export interface Facts {
  readonly userId: string;
  /** The clock of the user's newest change in microseconds; null for a user never written. */
  readonly revision: number | null;
  readonly definitions: Definitions;
  /** Current and planned ones; past ones too where a past moment, a history or a reason is asked for. Any order. */
  readonly stays: readonly Stay[];
}

/** Every segment, living and dead, at one version. Made by `indexDefinitions`. */
export interface Definitions<S extends Segment = Segment> {
  readonly version: number;
  /** The clock of the newest change of any segment, in microseconds; 0 before the first. */
  readonly revision: number;
  readonly segments: readonly S[];
  readonly byId: ReadonlyMap<number, S>;
  /** All lives of a slug, oldest first. */
  readonly bySlug: ReadonlyMap<string, readonly S[]>;
  /** Those whose percentage was, is or will be above 0. */
  readonly withRollout: readonly S[];
}
