import type { Database } from '../db/database.ts';
import { failureOf, StandbyError } from '../db/failures.ts';
import { gather } from '../db/gather.ts';

/**
 * What keeps the database from being read and written safely, in words; nothing, if all is well. Its answer sets the
 * clock too.
 */
export async function findObstacles({ pool, clock }: Database): Promise<string[]> {
  const sentAt = clock.mark();
  try {
    const { rows } = await pool.query<StateRow>(stateText);
    const row = rows[0]!;
    clock.observe(row.clock, sentAt);
    const isDurable = row.synchronous === 'on' || row.synchronous === 'remote_apply';
    return [
      ...(row.is_writable ? [] : ['the database is a standby or read-only']),
      ...(isDurable
        ? []
        : [`synchronous_commit of the database is ${row.synchronous}: a crash could lose what was acknowledged`]),
      ...(row.is_blind ? ['another role writes here too, whose sessions this role may not see: grant it pg_read_all_stats'] : []),
    ];
  } catch (error) {
    if (error instanceof StandbyError) return ['the database is a standby'];
    const failure = failureOf(error);
    if (!failure) throw error;
    return [failure === 'overloaded' ? 'the database has too much to do' : 'the database does not answer'];
  }
}

/** The same for all who ask at once, so that a check that needs no key takes one connection at most. */
export function obstaclesOf(database: Database): () => Promise<string[]> {
  const ask = gather<null, string[]>({
    lanes: 1,
    maxItems: 10_000,
    run: async (items) => {
      const obstacles = await findObstacles(database);
      return items.map(() => obstacles);
    },
  });
  return () => ask(null);
}

interface StateRow {
  is_writable: boolean;
  synchronous: string;
  /** `settle` would promise nothing while such a session writes. */
  is_blind: boolean;
  clock: number;
}

const stateText = `select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as is_writable,
    current_setting('synchronous_commit') as synchronous,
    not pg_has_role('pg_read_all_stats', 'usage') and exists (
      select from pg_stat_activity a where a.datname = current_database() and a.application_name = 'segmentd'
        and a.usename <> current_user) as is_blind,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock
  from definitions`;
