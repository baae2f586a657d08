import type { Database } from '../db/database.ts';
import type { Ranges } from '../rollout/ranges.ts';
import { rangesText } from './definitions.store.ts';

export interface NewSegment {
  readonly slug: string;
  readonly description: string;
  readonly salt: string;
  readonly ranges: Ranges;
}

/** Null leaves it as it is. */
export interface SegmentChange {
  readonly description: string | null;
  readonly ranges: Ranges | null;
}

export type SegmentsStore = ReturnType<typeof segmentsStore>;

/**
 * The three changes of definitions, each one call and one commit, decided on the definitions of `version`. They answer the
 * revision of the change, or null when other definitions stand by now. They take the gate exclusively and give up after
 * 100 ms of waiting for writers (SQLSTATE 55P03), since everybody else queues behind them.
 */
export function segmentsStore({ pool }: Database) {
  const change = async (name: string, text: string, values: unknown[]): Promise<number | null> => {
    const { rows } = await pool.query<{ revision: number | null }>({ name, text, values });
    return rows[0]!.revision;
  };
  return {
    /** Two of one slug cannot both find their version; the unique index `segments_living_slug` is the net below. */
    insert: (version: number, { slug, description, salt, ranges }: NewSegment, by: string) =>
      change('segments.insert', `select create_segment($1, $2, $3, $4, null, $5, $6) as revision`, [
        version,
        slug,
        description,
        salt,
        rangesText(ranges),
        by,
      ]),

    update: (version: number, segmentId: number, { description, ranges }: SegmentChange, by: string) =>
      change('segments.update', `select change_segment($1, $2, $3, $4, $5) as revision`, [
        version,
        segmentId,
        description,
        ranges && rangesText(ranges),
        by,
      ]),

    delete: (version: number, segmentId: number, by: string) =>
      change('segments.delete', `select delete_segment($1, $2, $3) as revision`, [version, segmentId, by]),
  };
}
