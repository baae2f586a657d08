import type { Database } from '../../src/db/database.ts';
import type { Moment } from '../../src/timeline/facts.ts';

/** A job of an import, as it ended. */
export interface Job {
  readonly id: string;
  readonly key: string;
  readonly segmentId: number;
  readonly operation: 'add' | 'remove' | 'replace';
  readonly endsAt: Moment;
  readonly replaceInGroup: boolean;
  readonly createdBy: string;
  readonly createdAt: Moment;
  /** `null` while it is not over. */
  readonly finishedAt: Moment | null;
  readonly state: string;
  readonly error: string | null;
  readonly received: number;
  readonly applied: number;
  readonly unchanged: number;
  readonly rejected: number;
  readonly removed: number;
}

/** Those whose file was received whole. */
export async function jobsOf({ pool }: Database): Promise<Job[]> {
  const { rows } = await pool.query<Job>(
    `select i.import_id as id, k.key, i.segment_id as "segmentId", i.operation, i.ends_at as "endsAt", i.replace_in_group as "replaceInGroup",
        i.created_by as "createdBy", i.created_at as "createdAt", i.finished_at as "finishedAt", i.state, i.error, i.received, i.applied, i.unchanged, i.rejected, i.removed
      from imports i join import_keys k using (import_id)`,
  );
  return rows;
}
