import { plainArray, textArray } from '../db/arrays.ts';
import type { Database } from '../db/database.ts';
import { parseMomentText } from '../db/moments.ts';
import { type DecidedChange, changeValues } from '../memberships/memberships.store.ts';
import type { DefinitionsStore } from '../segments/definitions.store.ts';
import type { CommandCause, Definitions, Facts, Stay } from '../timeline/facts.ts';
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
      const [, version, , definitionsRevision, clockAfter] = rows[0]!;
      clock.observe(clockAfter!, sentAt);
      const current = await definitions.ofVersion(version!, definitionsRevision!);
      if (!current || current.version !== near.version || current.revision !== near.revision) return undefined;

      const found: Facts[] = userIds.map((userId) => ({ userId, revision: null, definitions: near, stays: none }));
      for (let i = 1; i < rows.length; i++) {
        const [n, revision, text] = rows[i]!;
        const { userId, stays } = found[n - 1]!;
        found[n - 1] = { userId, revision, definitions: near, stays: text === '' ? stays : withStay(stays, text) };
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
 * and `memberships`. A stay is one text: those of one import are told alike, and are taken apart once.
 */
const factsText = `select 0 as n, version as revision, null as stay, revision as definitions_revision,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_after from definitions
  union all
  select w.n::integer, u.revision,
      concat_ws(E'\\t', m.segment_id, m.starts_at, m.ends_at, m.since, m.excluded, m.begun_cause, m.begun_by), null, null
    from unnest($1::text[]) with ordinality w (user_id, n) join users u on u.user_id = w.user_id
    left join memberships m on m.user_id = w.user_id and m.segment_id = any($2::integer[])`;

/** `stay` is empty for a user without one. */
type FactsRow = [n: number, revision: number | null, stay: string, definitionsRevision: number | null, clockAfter: number | null];

/** The same stays for the same text: who decides about them sees at a glance that they are the same. */
function withStay(before: readonly Stay[], text: string): readonly Stay[] {
  if (text !== last.text) last = { text, stays: [toStay(text)] };
  return before.length === 0 ? last.stays : [...before, ...last.stays];
}

let last: { text: string; stays: readonly Stay[] } = { text: '', stays: none };

/** A key's name is of visible characters, so it holds no tab. */
function toStay(text: string): Stay {
  const [segmentId, startsAt, endsAt, since, excluded, begunCause, begunBy] = text.split('\t') as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    segmentId: Number(segmentId),
    startsAt: parseMomentText(startsAt),
    endsAt: parseMomentText(endsAt),
    since: parseMomentText(since),
    excluded: excluded === 't',
    begunBy,
    begunCause: begunCause as CommandCause,
    endedBy: null,
    endedCause: null,
  };
}
