import type { Database, DatabaseClient } from '../db/database.ts';
import { gather } from '../db/gather.ts';
import type { Ranges } from '../rollout/ranges.ts';
import { indexDefinitions } from '../timeline/definitions.ts';
import type { Definitions, Moment, Rollout, Segment } from '../timeline/facts.ts';
import { momentOf } from '../timeline/revision.ts';

/** A segment with what only its own pages show. */
export interface SegmentRecord extends Segment {
  readonly description: string;
  readonly updatedAt: Moment;
}

export type SegmentDefinitions = Definitions<SegmentRecord>;

/** Definitions in memory, and how fresh they are. */
export interface HeldDefinitions {
  readonly definitions: SegmentDefinitions;
  /** Every change of them that was acknowledged before that moment is in them. */
  readonly asOf: Moment;
}

export type DefinitionsStore = ReturnType<typeof definitionsStore>;

/**
 * Every segment and rollout, held in memory at one version: they are few, and each answer needs them. A change moves the
 * version, so the question "are they current?" is one row, asked once for all who wait in a tick.
 */
export function definitionsStore({ pool, clock }: Database) {
  let cached: SegmentDefinitions | undefined;
  let loading: Promise<SegmentDefinitions> | undefined;
  let heldAsOf: Moment = 0;

  // Loads follow one another, so this one is the newest, also where the database went back.
  const load = async (): Promise<SegmentDefinitions> => (cached = await readDefinitions(pool));
  const loadOnce = () => (loading ??= load().finally(() => (loading = undefined)));
  /** One load at a time; one that is under way may have begun too early for who comes now. */
  const loadAnew = async (): Promise<SegmentDefinitions> => {
    await loading?.catch(() => {}); // who asked for it is told
    return loadOnce();
  };

  const stamp = gather<null, Stamp>({
    lanes: 1,
    maxItems: 10_000,
    run: async (items) => {
      const sentAt = clock.mark();
      const { rows } = await pool.query<Stamp>({ name: 'definitions.version', text: versionText });
      clock.observe(rows[0]!.clock_after, sentAt);
      return items.map(() => rows[0]!);
    },
  });

  const current = async (): Promise<SegmentDefinitions> => {
    const { version, revision, clock_before } = await stamp(null);
    const definitions = cached?.version === version && cached.revision === revision ? cached : await loadAnew();
    heldAsOf = Math.max(heldAsOf, momentOf(clock_before));
    return definitions;
  };

  return {
    /** As they stand: every change acknowledged before the call is in. */
    current,

    /** As this process knows them, without asking anybody; `undefined` before the first answer. */
    held: (): HeldDefinitions | undefined => cached && { definitions: cached, asOf: heldAsOf },

    /** Forgets them: the database is another one by now, or went back. */
    forget() {
      cached = undefined;
      heldAsOf = 0;
    },

    /** At this version or a later one. */
    async atLeast(version: number): Promise<SegmentDefinitions> {
      return cached && cached.version >= version ? cached : current();
    },

    /** At exactly this version, or `undefined` when another one stands by now: then what was read with it is old too. */
    async ofVersion(version: number, revision: number): Promise<SegmentDefinitions | undefined> {
      const isThat = (one: SegmentDefinitions | undefined) => one?.version === version && one.revision === revision;
      if (isThat(cached)) return cached;
      const loaded = await loadAnew();
      return isThat(loaded) ? loaded : undefined;
    },
  };
}

/** In one statement. On a client with a transaction open: as its snapshot has them. */
export async function readDefinitions(on: Database['pool'] | DatabaseClient): Promise<SegmentDefinitions> {
  const { rows } = await on.query<DefinitionRow>({ name: 'definitions.load', text: loadText });
  return toDefinitions(rows);
}

/** The start of the transaction comes before its snapshot. */
const versionText = `select version, revision, (extract(epoch from transaction_timestamp()) * 1000000)::bigint as clock_before,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_after
  from definitions`;

const loadText = `select d.version, d.revision, s.segment_id, s.slug, s.description, s.salt, s.exclusive_group,
    s.created_at, s.created_by, s.updated_at, s.deleted_at, s.deleted_by, r.from_at, r.to_at, r.ranges, r.changed_by
  from definitions d left join segments s on true left join rollouts r on r.segment_id = s.segment_id
  order by s.segment_id, r.from_at`;

interface Stamp {
  version: number;
  revision: number;
  clock_before: number;
  clock_after: number;
}

interface DefinitionRow {
  version: number;
  revision: number;
  segment_id: number | null;
  slug: string;
  description: string;
  salt: string;
  exclusive_group: string | null;
  created_at: Moment;
  created_by: string;
  updated_at: Moment;
  deleted_at: Moment;
  deleted_by: string | null;
  /** Null where a segment has no rollout: there is none such, and who checks says so of one. */
  from_at: Moment | null;
  to_at: Moment;
  ranges: string;
  changed_by: string;
}

function toDefinitions(rows: DefinitionRow[]): SegmentDefinitions {
  const { version, revision } = rows[0]!;
  const bySegment = Map.groupBy(
    rows.filter((row) => row.segment_id !== null),
    (row) => row.segment_id!,
  );
  return indexDefinitions(version, revision, [...bySegment.values()].map(toSegment));
}

function toSegment(rows: DefinitionRow[]): SegmentRecord {
  const row = rows[0]!;
  return {
    id: row.segment_id!,
    slug: row.slug,
    description: row.description,
    salt: row.salt,
    exclusiveGroup: row.exclusive_group,
    createdAt: row.created_at,
    createdBy: row.created_by,
    updatedAt: row.updated_at,
    deletedAt: row.deleted_at,
    deletedBy: row.deleted_by,
    rollouts: rows.filter(hasRollout).map(toRollout),
  };
}

const hasRollout = (row: DefinitionRow): row is DefinitionRow & { from_at: Moment } => row.from_at !== null;

const toRollout = (row: DefinitionRow & { from_at: Moment }): Rollout => ({
  startsAt: row.from_at,
  endsAt: row.to_at,
  ranges: parseRanges(row.ranges),
  changedBy: row.changed_by,
});

/** An `int4multirange` as PostgreSQL prints it: `{[0,1000),[2500,3000)}`. */
export const parseRanges = (text: string): Ranges =>
  [...text.matchAll(/\[(\d+),(\d+)\)/g)].map(([, from, to]) => [Number(from), Number(to)] as const);

export const rangesText = (ranges: Ranges): string => `{${ranges.map(([from, to]) => `[${from},${to})`).join(',')}}`;
