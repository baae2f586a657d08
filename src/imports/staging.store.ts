import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { plainArray, textArray } from '../db/arrays.ts';
import type { Database, DatabaseClient } from '../db/database.ts';
import { momentText } from '../db/moments.ts';
import { inPooledTransaction } from '../db/transaction.ts';
import type { Import } from './imports.store.ts';
import { lease } from './lease.ts';
import type { Row } from './rows.ts';

/** A user of a file and the line that named it first; further lines with the same id are told apart. */
export interface StagedRow {
  readonly userId: string;
  /** 0 for whom the file does not name. */
  readonly line: number;
}

/** Rows of a file, received and not yet written. */
export interface StagedPiece {
  readonly received: number;
  /** As COPY takes them: `line TAB id NEWLINE`. */
  readonly good: string;
  readonly rejected: readonly Row[];
}

export type StagingStore = ReturnType<typeof stagingStore>;

/** The table of an import's rows: dropped when it is over, so that a million rows cost nothing to remove. */
export function stagingTable(importId: string): string {
  if (!/^[0-9a-f-]{36}$/.test(importId)) throw new Error(`not the id of an import: ${importId}`);
  return `import_rows_${importId.replaceAll('-', '')}`;
}

/** What a COPY of text has to escape; ids are visible ASCII, so it is the backslash alone. */
export const copyLine = ({ line, value }: Row): string =>
  `${line}\t${value.includes('\\') ? value.replaceAll('\\', String.raw`\\`) : value}\n`;

export function stagingStore({ pool, connect }: Database) {
  const backends = new WeakMap<DatabaseClient, number>();
  return {
    /**
     * Adds a piece of a file, in one short transaction: a slow sender holds none. False: the import was cancelled or given up.
     */
    insert: (importId: string, owner: string, { received, good, rejected }: StagedPiece): Promise<boolean> =>
      inPooledTransaction(pool, async (client) => {
        const counts = [importId, owner, received, rejected.length, lease];
        const { rowCount } = await client.query({ name: 'staging.count', text: countText, values: counts });
        if (rowCount === 0) return false;
        if (good !== '') {
          const into = client.query(copyFrom(`copy ${stagingTable(importId)} (line, user_id) from stdin`));
          await pipeline([Buffer.from(good, 'latin1')], into);
        }
        if (rejected.length > 0) {
          const values = [
            importId,
            plainArray(rejected.map(({ line }) => line)),
            textArray(rejected.map(({ value }) => value)),
            textArray(rejected.map(({ reason }) => reason)),
          ];
          await client.query({ name: 'staging.reject', text: rejectText, values });
        }
        return true;
      }),

    /**
     * A connection of its own, for one import: sorting may take longer than a short statement may, and what it sorted is
     * read without holding a transaction open.
     */
    async open(): Promise<DatabaseClient> {
      const client = await connect({ queryTimeoutMs: 0 });
      await client.query(`set statement_timeout = 0; set enable_seqscan = on; set work_mem = '64MB'`);
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      backends.set(client, rows[0]!.pid);
      return client;
    },

    /** Breaks off what such a connection is doing, which may be a sort of minutes. */
    async interrupt(client: DatabaseClient): Promise<void> {
      await pool.query('select pg_cancel_backend($1)', [backends.get(client)]);
    },

    /** The rows behind what is done, in byte order of their ids and then by line, so many at a time. */
    rows: (client: DatabaseClient, { id, doneUpTo }: Import, batch: number): AsyncGenerator<StagedRow[]> =>
      fetched(
        client,
        `select user_id, line from ${stagingTable(id)}
          where (user_id, line) > (${literal(doneUpTo.userId)}, ${doneUpTo.line}) order by user_id, line`,
        batch,
      ),

    /** Those behind what is done who are in by hand now, came in before the import was made, and are not in the file. */
    leavers: (
      client: DatabaseClient,
      { id, doneUpTo, segmentId, createdAt }: Import,
      batch: number,
    ): AsyncGenerator<StagedRow[]> =>
      fetched(
        client,
        `select m.user_id, 0 from memberships m
          where m.segment_id = ${segmentId} and m.user_id > ${literal(doneUpTo.userId)} and not m.excluded
            and m.since < '${momentText(createdAt)}' and m.starts_at <= clock_timestamp() and m.ends_at > clock_timestamp()
            and not exists (select from ${stagingTable(id)} r where r.user_id = m.user_id)
          group by m.user_id order by m.user_id`,
        batch,
      ),
  };
}

/** A cursor that outlives its transaction: the server keeps the sorted rows on its disk, and nothing holds back its vacuum. */
async function* fetched(client: DatabaseClient, query: string, batch: number): AsyncGenerator<StagedRow[]> {
  await client.query('close all');
  await client.query(`declare rows no scroll cursor with hold for ${query}`);
  for (;;) {
    const { rows } = await client.query<[string, string]>({ text: `fetch ${batch} from rows`, rowMode: 'array' });
    if (rows.length === 0) return;
    yield rows.map(([userId, line]) => ({ userId, line: Number(line) }));
  }
}

/** Ids are visible ASCII. */
const literal = (userId: string) => `'${userId.replaceAll("'", "''")}'`;

const countText = `update imports set received = received + $3, rejected = rejected + $4, lease_until = clock_timestamp() + $5::interval
  where import_id = $1 and owner = $2 and state = 'receiving'`;

const rejectText = `insert into import_rejects select $1, r.line, r.value, r.reason from unnest($2::bigint[], $3::text[], $4::text[]) r (line, value, reason)`;
