import type { Database } from '../db/database.ts';
import { inPooledTransaction } from '../db/transaction.ts';
import type { Moment } from '../timeline/facts.ts';
import { lease } from './lease.ts';
import { type StagedRow, stagingTable } from './staging.store.ts';

export type ImportOperation = 'add' | 'remove' | 'replace';
export type ImportState = 'receiving' | 'running' | 'done' | 'failed' | 'cancelled';
export type ImportError = 'interrupted' | 'segment_deleted' | 'internal_error';

/** A file of ids and how far it came. */
export interface Import {
  readonly id: string;
  readonly segmentId: number;
  readonly operation: ImportOperation;
  /** One end for the file; `Infinity` without a TTL. */
  readonly endsAt: Moment;
  readonly replaceInGroup: boolean;
  readonly createdBy: string;
  readonly createdAt: Moment;
  readonly state: ImportState;
  readonly error: ImportError | null;
  readonly received: number;
  readonly applied: number;
  readonly unchanged: number;
  readonly rejected: number;
  readonly removed: number;
  readonly revision: number | null;
  readonly finishedAt: Moment | null;
  /** First the rows of the file; of a replacement then those whom the file lacks. */
  readonly phase: 'rows' | 'leavers';
  /** Every row up to here is dealt with, but for those that are pending. */
  readonly doneUpTo: StagedRow;
  readonly pendingUsers: readonly string[];
  readonly pendingLines: readonly number[];
  /** How often it was taken up since its last batch. */
  readonly attempts: number;
}

/** An import with the slug of its segment. */
export interface ShownImport extends Import {
  readonly slug: string;
}

export interface NewImport extends Pick<Import, 'segmentId' | 'operation' | 'replaceInGroup' | 'createdBy'> {
  /** Null: what is added has no end. */
  readonly ttlMs: number | null;
  /** The process that receives it. */
  readonly owner: string;
}

/** A repeat under an `Idempotency-Key`: the import that has it, and of what. */
export interface KeptKey {
  readonly importId: string;
  readonly fingerprint: string;
}

export interface ListedImports {
  readonly segmentIds: readonly number[] | null;
  readonly state: ImportState | null;
  readonly after: string;
  readonly limit: number;
}

export type ImportsStore = ReturnType<typeof importsStore>;

/** The records of imports: who works on which, and how far it came. The ids come from us or were checked to be UUIDs. */
export function importsStore({ pool }: Database) {
  const one = async (name: string, text: string, values: unknown[]): Promise<Import | null> => {
    const { rows } = await pool.query<ImportRow>({ name, text: `${text} returning ${columns}`, values });
    return rows[0] ? toImport(rows[0]) : null;
  };

  return {
    /** Together with the table that its rows go into. */
    insert: ({ segmentId, operation, ttlMs, replaceInGroup, createdBy, owner }: NewImport): Promise<Import> =>
      inPooledTransaction(pool, async (client) => {
        const values = [segmentId, operation, ttlMs === null ? null : `${ttlMs} milliseconds`, replaceInGroup, createdBy, owner];
        const { rows } = await client.query<ImportRow>({ name: 'imports.insert', text: insertText, values });
        await client.query(
          `create table ${stagingTable(rows[0]!.import_id)} (line bigint not null, user_id text collate "C" not null)`,
        );
        return toImport(rows[0]!);
      }),

    async find(id: string): Promise<Import | null> {
      const { rows } = await pool.query<ImportRow>({
        name: 'imports.find',
        text: `select ${columns} from imports where import_id = $1`,
        values: [id],
      });
      return rows[0] ? toImport(rows[0]) : null;
    },

    /** By id, so in the order of their making. */
    async list({ segmentIds, state, after, limit }: ListedImports): Promise<Import[]> {
      const { rows } = await pool.query<ImportRow>({
        name: 'imports.list',
        text: listText,
        values: [segmentIds, state, after, limit],
      });
      return rows.map(toImport);
    },

    /** The rejected rows behind a line. */
    async listRejects(id: string, after: number, limit: number): Promise<{ line: number; value: string; reason: string }[]> {
      const { rows } = await pool.query<{ line: number; value: string; reason: string }>({
        name: 'imports.rejects',
        text: `select line, value, reason from import_rejects where import_id = $1 and line > $2 order by line limit $3`,
        values: [id, after, limit],
      });
      return rows;
    },

    /** Who has this key of this sender; null where nobody has, or longer ago than it is kept. */
    async findKey(createdBy: string, key: string): Promise<KeptKey | null> {
      const { rows } = await pool.query<{ import_id: string; fingerprint: string }>({
        name: 'imports.find_key',
        text: `select import_id, fingerprint from import_keys where created_by = $1 and key = $2 and kept_since > ${keptFrom}`,
        values: [createdBy, key],
      });
      return rows[0] ? { importId: rows[0].import_id, fingerprint: rows[0].fingerprint } : null;
    },

    /**
     * The file is here whole: from now on it is to be carried out, by any process. Answers `taken` where another import has
     * claimed the key meanwhile; this one then leaves no trace. Null: it was cancelled, or given up as interrupted.
     */
    accept: (
      id: string,
      owner: string,
      key: { createdBy: string; key: string; fingerprint: string } | null,
    ): Promise<'accepted' | 'taken' | null> =>
      inPooledTransaction(pool, async (client) => {
        if (key) {
          const values = [key.createdBy, key.key, id, key.fingerprint];
          const claimed = await client.query({ name: 'imports.claim_key', text: claimKeyText, values });
          if (claimed.rowCount === 0) {
            await client.query(`drop table if exists ${stagingTable(id)}`);
            await client.query({ text: `delete from imports where import_id = $1`, values: [id] });
            return 'taken';
          }
        }
        const { rowCount } = await client.query({
          name: 'imports.accept',
          text: `update imports set state = 'running', lease_until = '-infinity' where import_id = $1 and owner = $2 and state = 'receiving'`,
          values: [id, owner],
        });
        if (rowCount === 0) await client.query({ text: `delete from import_keys where import_id = $1`, values: [id] });
        return rowCount === 0 ? null : 'accepted';
      }),

    /**
     * Takes up a running import that nobody works on. Those that were being received by a process that is gone are given up:
     * `failed`, `interrupted`.
     */
    async claim(owner: string): Promise<Import | null> {
      const { rows } = await pool.query<{ import_id: string }>({ name: 'imports.abandoned', text: abandonedText });
      for (const row of rows) await this.finish(row.import_id, null, 'failed', 'interrupted');
      return one('imports.claim', claimText, [owner, lease]);
    },

    /** Says that its owner lives. False: it is another's by now, or is over. */
    async renew(id: string, owner: string): Promise<boolean> {
      const { rowCount } = await pool.query({ name: 'imports.renew', text: renewText, values: [id, owner, lease] });
      return rowCount! > 0;
    },

    /** Lets another process take it at once. `isCounted`: that it was taken up counts as an attempt. */
    async release(id: string, owner: string, isCounted: boolean): Promise<void> {
      await pool.query({ name: 'imports.release', text: releaseText, values: [id, owner, isCounted] });
    },

    /** All rows are dealt with: those whom the file lacks come next. */
    async turnToLeavers(id: string, owner: string): Promise<boolean> {
      const text = `update imports set phase = 'leavers', done_up_to = '', done_line = 0 where import_id = $1 and owner = $2 and state = 'running'`;
      return (await pool.query({ name: 'imports.leavers', text, values: [id, owner] })).rowCount! > 0;
    },

    /** Ends it, if it is not over: the owner does (or, with null, anybody). What was staged is dropped. The import as it is. */
    finish: (id: string, owner: string | null, state: ImportState, error: ImportError | null): Promise<Import | null> =>
      inPooledTransaction(pool, async (client) => {
        const { rows } = await client.query<ImportRow>({
          name: 'imports.finish',
          text: finishText,
          values: [id, owner, state, error],
        });
        if (rows[0]) await client.query(`drop table if exists ${stagingTable(id)}`);
        return rows[0] ? toImport(rows[0]) : null;
      }),

    /** Leaves no trace of one that its owner is receiving still. */
    discard: (id: string, owner: string): Promise<void> =>
      inPooledTransaction(pool, async (client) => {
        const text = `delete from imports where import_id = $1 and owner = $2 and state = 'receiving'`;
        const { rowCount } = await client.query({ name: 'imports.discard', text, values: [id, owner] });
        if (rowCount! > 0) await client.query(`drop table if exists ${stagingTable(id)}`);
      }),

    /** The statistics that plans are made by, after a large import. */
    async analyze(): Promise<void> {
      await pool.query('analyze users, memberships');
    },
  };
}

const keptFrom = `clock_timestamp() - interval '7 days'`;

const columns = `import_id, segment_id, operation, ends_at, replace_in_group, created_by, created_at, state, error,
  received, applied, unchanged, rejected, removed, revision, finished_at, phase, done_up_to, done_line, pending_users, pending_lines, attempts`;

/** One moment for `created_at` and the end. */
const insertText = `insert into imports (import_id, segment_id, operation, ends_at, replace_in_group, created_by, created_at, owner, lease_until)
  select new_import_id(), $1, $2, coalesce(c.at + $3::interval, 'infinity'), $4, $5, c.at, $6, c.at + interval '${lease}'
    from (select date_trunc('milliseconds', clock_timestamp()) as at) c returning ${columns}`;

const listText = `select ${columns} from imports
  where import_id > coalesce(nullif($3, ''), '00000000-0000-0000-0000-000000000000')::uuid
    and ($1::integer[] is null or segment_id = any($1)) and ($2::text is null or state = $2)
  order by import_id limit $4`;

/** The unique key decides between two that claim at once: the second waits for the first. */
const claimKeyText = `insert into import_keys as kept (created_by, key, import_id, fingerprint) values ($1, $2, $3, $4)
  on conflict (created_by, key) do update set import_id = excluded.import_id, fingerprint = excluded.fingerprint, kept_since = excluded.kept_since
  where kept.kept_since <= ${keptFrom}`;

const abandonedText = `select import_id from imports where state = 'receiving' and lease_until < clock_timestamp()`;

/** The oldest first. Whoever comes second skips the row that the first has locked. */
const claimText = `update imports set owner = $1, lease_until = clock_timestamp() + $2::interval, attempts = attempts + 1
  where import_id = (select import_id from imports where state = 'running' and lease_until < clock_timestamp()
    order by import_id limit 1 for no key update skip locked)`;

const releaseText = `update imports set lease_until = '-infinity', attempts = case when $3 then attempts else greatest(attempts - 1, 0) end
  where import_id = $1 and owner = $2 and state = 'running'`;

const renewText = `update imports set lease_until = clock_timestamp() + $3::interval
  where import_id = $1 and owner = $2 and state in ('receiving', 'running')`;

/** What was accepted is not interrupted any more, also where the answer to that was lost: it goes on. */
const finishText = `update imports set state = $3, error = $4, finished_at = date_trunc('milliseconds', clock_timestamp())
  where import_id = $1 and ($2::uuid is null or owner = $2) and state in ('receiving', 'running')
    and ($4 is distinct from 'interrupted' or state = 'receiving' and ($2 is not null or lease_until < clock_timestamp()))
  returning ${columns}`;

interface ImportRow {
  import_id: string;
  segment_id: number;
  operation: ImportOperation;
  ends_at: Moment;
  replace_in_group: boolean;
  created_by: string;
  created_at: Moment;
  state: ImportState;
  error: ImportError | null;
  received: number;
  applied: number;
  unchanged: number;
  rejected: number;
  removed: number;
  revision: number | null;
  finished_at: Moment | null;
  phase: 'rows' | 'leavers';
  done_up_to: string;
  done_line: number;
  pending_users: string[];
  pending_lines: number[];
  attempts: number;
}

const toImport = (row: ImportRow): Import => ({
  id: row.import_id,
  segmentId: row.segment_id,
  operation: row.operation,
  endsAt: row.ends_at,
  replaceInGroup: row.replace_in_group,
  createdBy: row.created_by,
  createdAt: row.created_at,
  state: row.state,
  error: row.error,
  received: row.received,
  applied: row.applied,
  unchanged: row.unchanged,
  rejected: row.rejected,
  removed: row.removed,
  revision: row.revision,
  finishedAt: row.finished_at,
  phase: row.phase,
  doneUpTo: { userId: row.done_up_to, line: row.done_line },
  pendingUsers: row.pending_users,
  pendingLines: row.pending_lines.map(Number), // arrays of bigint come as text
  attempts: row.attempts,
});
