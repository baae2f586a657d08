import { plainArray, textArray } from '../db/arrays.ts';
import type { Database } from '../db/database.ts';
import { type DecidedChange, changeValues } from '../memberships/memberships.store.ts';
import type { DefinitionsStore } from '../segments/definitions.store.ts';
import type { CommandCause, Definitions, Facts, Moment, Stay } from '../timeline/facts.ts';
import { lease } from './lease.ts';
import type { Row } from './rows.ts';
import type { StagedRow } from './staging.store.ts';

/** What was decided about the rows of a batch. */
export interface DecidedBatch {
  /** What changes, with the line that asked for it. */
  readonly changes: readonly DecidedChange[];
  readonly lines: readonly number[];
  readonly unchanged: number;
  readonly rejected: readonly Row[];
  /** Every row up to here is dealt with. */
  readonly upTo: StagedRow;
}

/**
 * `applied`: saved, but for those that are stale, who are pending. `unchanged`: saved; nobody was to be changed.
 * `stale_definitions`: nothing is saved. `lost`: the import is another process's by now, or over; nothing is saved.
 */
export interface SavedBatch {
  readonly outcome: 'applied' | 'unchanged' | 'stale' | 'stale_definitions' | 'lost';
  readonly revision: number | null;
  readonly stale: readonly string[];
}

export type BatchesStore = ReturnType<typeof batchesStore>;

/** Facts of many users about one segment, and what an import writes about them. */
export function batchesStore({ pool, clock }: Database, definitions: DefinitionsStore) {
  return {
    /**
     * Facts of these users in one snapshot, in their order: of stays those in the segments that `narrow` leaves. Undefined
     * where the definitions moved on meanwhile: to be asked again.
     */
    async facts(userIds: readonly string[], narrow: (all: Definitions) => Definitions): Promise<Facts[] | undefined> {
      const near = narrow(await definitions.current());
      const sentAt = clock.mark();
      const values = [textArray(userIds), plainArray(near.segments.map(({ id }) => id))];
      const { rows } = await pool.query<FactsRow>({ name: 'batches.facts', text: factsText, values, rowMode: 'array' });
      const [, version, , , , , , , definitionsRevision, clockAfter] = rows[0]!;
      clock.observe(clockAfter!, sentAt);
      const current = await definitions.ofVersion(version!, definitionsRevision!);
      if (!current || current.version !== near.version || current.revision !== near.revision) return undefined;

      const found: Facts[] = userIds.map((userId) => ({ userId, revision: null, definitions: near, stays: none }));
      for (let i = 1; i < rows.length; i++) {
        const row = rows[i]!;
        const { userId, stays } = found[row[0] - 1]!;
        found[row[0] - 1] = {
          userId,
          revision: row[1],
          definitions: near,
          stays: row[2] === null ? stays : [...stays, toStay(row)],
        };
      }
      return found;
    },

    /** Writes it, and how far the import came, in one transaction. See `apply_import_batch` in the migrations. */
    async save(
      importId: string,
      owner: string,
      { changes, lines, unchanged, rejected, upTo }: DecidedBatch,
    ): Promise<SavedBatch> {
      const values = [
        importId,
        owner,
        lease,
        upTo.userId,
        upTo.line,
        unchanged,
        plainArray(rejected.map(({ line }) => line)),
        textArray(rejected.map(({ value }) => value)),
        textArray(rejected.map(({ reason }) => reason)),
        plainArray(lines),
        ...changeValues(changes, { folds: true }),
      ];
      const { rows } = await pool.query<SavedBatch>({ name: 'batches.save', text: saveText, values });
      return rows[0]!;
    },
  };
}

const none: readonly Stay[] = [];

const saveText = `select outcome, revision, stale from apply_import_batch(${Array.from({ length: 30 }, (_, i) => `$${i + 1}`).join(', ')})`;

/**
 * The first row tells the definitions and the clock; the others are of users who are known, by the primary keys of `users`
 * and `memberships`.
 */
const factsText = `select 0 as n, version as revision, null::integer as segment_id, null::timestamptz as starts_at, null::timestamptz as ends_at,
    null::timestamptz as since, null::boolean as excluded, null::text as begun_by, revision as definitions_revision,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_after, null::text as begun_cause from definitions
  union all
  select w.n::integer, u.revision, m.segment_id, m.starts_at, m.ends_at, m.since, m.excluded, m.begun_by, null, null, m.begun_cause
    from unnest($1::text[]) with ordinality w (user_id, n) join users u on u.user_id = w.user_id
    left join memberships m on m.user_id = w.user_id and m.segment_id = any($2::integer[])`;

type FactsRow = [
  n: number,
  revision: number | null,
  segmentId: number | null,
  startsAt: Moment,
  endsAt: Moment,
  since: Moment,
  excluded: boolean,
  begunBy: string,
  definitionsRevision: number | null,
  clockAfter: number | null,
  begunCause: CommandCause,
];

const toStay = ([, , segmentId, startsAt, endsAt, since, excluded, begunBy, , , begunCause]: FactsRow): Stay => ({
  segmentId: segmentId!,
  startsAt,
  endsAt,
  since,
  excluded,
  begunBy,
  begunCause,
  endedBy: null,
  endedCause: null,
});
