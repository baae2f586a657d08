import type { DatabaseClient } from '../../db/database.ts';

/**
 * Names the database, and which of its histories: after a restore into a new cluster the system identifier is another, after
 * a failover or a restore in place the timeline is. Null for a standby, which lags behind its own clock: nothing read there
 * may be dated by it.
 */
export async function findOwner(client: DatabaseClient): Promise<string | null> {
  const { rows } = await client.query<{ owner: string | null }>(ownerText);
  return rows[0]!.owner;
}

/** The first eight digits of a WAL file's name are the timeline. */
const ownerText = `select case when not pg_is_in_recovery()
    then concat_ws('.', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid) end as owner
  from pg_control_system(), pg_database d where datname = current_database()`;
