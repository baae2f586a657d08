import type { Database } from '../db/database.ts';
import { momentText } from '../db/moments.ts';
import type { Ranges } from '../rollout/ranges.ts';
import type { Moment } from '../timeline/facts.ts';
import { rangesText } from './definitions.store.ts';

export interface NewSegment {
  readonly slug: string;
  readonly description: string;
  readonly salt: string;
  readonly exclusiveGroup: string | null;
  readonly ranges: Ranges;
}

/** What is taken from a moment on; null: from that of the change. */
export interface NewRollout {
  readonly startsAt: Moment | null;
  readonly ranges: Ranges;
  readonly changedBy: string;
}

/** Null leaves it as it is. */
export interface SegmentChange {
  readonly description: string | null;
  /** What stands from `after` on (null: from the moment of the change on), by its start, in place of what stood there. */
  readonly rollouts: { readonly after: Moment | null; readonly rows: readonly NewRollout[] } | null;
}

/** What a change was decided on. It is applied at a moment from `decidedAt` until before `goodUntil`. */
export interface DecidedOn {
  readonly version: number;
  readonly decidedAt: Moment;
  readonly goodUntil: Moment;
}

export type SegmentsStore = ReturnType<typeof segmentsStore>;

/**
 * The three changes of definitions, each one call and one commit. They answer the revision of the change, or null when other
 * definitions stand by now or the time has passed. They take the gate exclusively and give up after 100 ms of waiting for
 * writers (SQLSTATE 55P03), since everybody else queues behind them.
 */
export function segmentsStore({ pool }: Database) {
  const change = async (name: string, text: string, values: unknown[]): Promise<number | null> => {
    const { rows } = await pool.query<{ revision: number | null }>({ name, text, values });
    return rows[0]!.revision;
  };
  const on = ({ version, decidedAt, goodUntil }: DecidedOn) => [version, decidedAt * 1000, momentText(goodUntil)];
  return {
    /** Two of one slug cannot both find their version; the unique index `segments_living_slug` is the net below. */
    insert: (decidedOn: DecidedOn, { slug, description, salt, exclusiveGroup, ranges }: NewSegment, by: string) =>
      change('segments.insert', `select create_segment($1, $2, $3, $4, $5, $6, $7, $8, $9) as revision`, [
        ...on(decidedOn),
        slug,
        description,
        salt,
        exclusiveGroup,
        rangesText(ranges),
        by,
      ]),

    update: (decidedOn: DecidedOn, segmentId: number, { description, rollouts }: SegmentChange) =>
      change('segments.update', `select change_segment($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as revision`, [
        ...on(decidedOn),
        segmentId,
        description,
        rollouts !== null,
        rollouts?.after ? momentText(rollouts.after) : null,
        rollouts?.rows.map(({ startsAt }) => startsAt && momentText(startsAt)) ?? [],
        rollouts?.rows.map(({ ranges }) => rangesText(ranges)) ?? [],
        rollouts?.rows.map(({ changedBy }) => changedBy) ?? [],
      ]),

    delete: (version: number, segmentId: number, by: string) =>
      change('segments.delete', `select delete_segment($1, $2, $3) as revision`, [version, segmentId, by]),
  };
}
