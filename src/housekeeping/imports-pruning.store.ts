import type { DatabaseClient } from '../db/database.ts';

const rowsAtOnce = 1_000;

/** How long an import that is over can be read, and what it refused. */
const keptDays = 30;

/**
 * Drops some of what imports leave: rejected rows and records of those that ended long ago, and keys of repeats that are past
 * the week for which they are kept; whether there may be more. The staged rows went with the end of the import.
 */
export async function pruneImports(client: DatabaseClient): Promise<boolean> {
  const counts = [];
  for (const [name, text] of Object.entries(texts)) counts.push((await client.query({ name, text })).rowCount);
  return counts.includes(rowsAtOnce);
}

const ended = `i.finished_at < clock_timestamp() - interval '${keptDays} days'`;

const texts = {
  'housekeeping.rejects': `delete from import_rejects where ctid = any (array (
    select r.ctid from import_rejects r join imports i on i.import_id = r.import_id where ${ended} limit ${rowsAtOnce}))`,
  'housekeeping.imports': `delete from imports where import_id = any (array (
    select i.import_id from imports i where ${ended}
      and not exists (select from import_rejects r where r.import_id = i.import_id) limit ${rowsAtOnce}))`,
  'housekeeping.keys': `delete from import_keys where ctid = any (array (
    select ctid from import_keys where kept_since < clock_timestamp() - interval '7 days' limit ${rowsAtOnce}))`,
};
