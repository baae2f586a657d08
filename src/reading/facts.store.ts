import type { Mark } from '../db/clock.ts';
import type { Database } from '../db/database.ts';
import { gather } from '../db/gather.ts';
import { momentText } from '../db/moments.ts';
import { Problem } from '../http/problem.ts';
import type { DefinitionsStore } from '../segments/definitions.store.ts';
import type { Cause, CommandCause, Facts, Moment, Stay } from '../timeline/facts.ts';

/** The facts of one user in one snapshot of the database. */
export interface FactsRead {
  readonly facts: Facts;
  /** The database's clock before the snapshot: every change acknowledged before that moment is in the facts. */
  readonly asOf: Moment;
  /** The database's clock after the snapshot, in microseconds: safe to ask for later with `min_revision`. */
  readonly revision: number;
}

/** With past stays too. */
export interface HistoryRead extends FactsRead {
  /** What ended before is not in the facts, whether its rows are gone yet or not: nothing is to be said of moments before. */
  readonly keptFrom: Moment;
}

export type FactsStore = ReturnType<typeof factsStore>;

/** Reads facts, always from the database. Takes no locks and waits for no writer. */
export function factsStore({ pool, clock }: Database, definitions: DefinitionsStore) {
  const gathered = gather<string, RawFacts<FactsRow>>({
    lanes: 3,
    maxItems: 500,
    maxWaiting: 50_000,
    run: async (userIds) => {
      const sentAt = clock.mark();
      const { rows } = await pool.query<FactsRow & { n: number }>({
        name: 'facts.current',
        text: currentText,
        values: [userIds],
      });
      const byUser = Map.groupBy(rows, (row) => row.n);
      return userIds.map((userId, i) => ({ userId, rows: byUser.get(i + 1)!, sentAt }));
    },
  });

  /** Facts and definitions of one snapshot: where the definitions moved on between, both are read again. */
  const consistent = async <R extends FactsRow>(read: () => Promise<RawFacts<R>>): Promise<FactsRead & { row: R }> => {
    for (let tries = 0; tries < 50; tries++) {
      const { userId, rows, sentAt } = await read();
      const row = rows[0]!;
      clock.observe(row.clock_after, sentAt);
      const current = await definitions.ofVersion(row.version, row.definitions_revision);
      if (!current) continue;
      const stays = rows.filter(hasStay).map(toStay);
      return {
        facts: { userId, revision: row.revision, definitions: current, stays },
        asOf: Math.floor(row.clock_before / 1000),
        revision: row.clock_after,
        row,
      };
    }
    throw new Problem('definitions_busy', 'The definitions changed at each of 50 reads.');
  };

  return {
    /** Current and planned stays: for `decide` and for present reads. Those who ask in one tick share a query. */
    current: (userId: string): Promise<FactsRead> => consistent(() => gathered(userId)),

    /**
     * Past stays too, of those that ended at `endedFrom` or later and are kept: enough for all that is said of moments from
     * there on, if it is not before `keptFrom`.
     */
    async since(userId: string, endedFrom: Moment): Promise<HistoryRead> {
      const { row, ...read } = await consistent(async () => {
        const sentAt = clock.mark();
        const { rows } = await pool.query<KeptRow>({
          name: 'facts.since',
          text: sinceText,
          values: [userId, momentText(endedFrom)],
        });
        return { userId, rows, sentAt };
      });
      return { ...read, keptFrom: row.kept_from };
    },

    /** From when on history is kept; -Infinity: all of it is. */
    async keptFrom(): Promise<Moment> {
      const { rows } = await pool.query<{ kept_from: Moment }>({
        name: 'facts.kept',
        text: `select kept_from from history_kept`,
      });
      return rows[0]!.kept_from;
    },
  };
}

/**
 * The start of the transaction comes before its snapshot. `statement_timestamp()` does not: with a prepared statement the
 * snapshot is taken when it is bound and that clock is set when it is executed.
 */
const clockColumns = `d.version, d.revision as definitions_revision, (extract(epoch from transaction_timestamp()) * 1000000)::bigint as clock_before,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_after`;

/** Of a row `m` of `memberships`, for `toStay`. */
export const stayColumns = `m.segment_id, m.starts_at, m.ends_at, m.since, m.excluded, m.begun_by, m.begun_cause,
    null as ended_by, null as ended_cause`;

/** Of a row `m` of `past_memberships`. */
export const pastStayColumns = `m.segment_id, m.starts_at, m.ends_at, m.since, m.excluded, m.begun_by, m.begun_cause,
    m.ended_by, m.ended_cause`;

/** By the primary keys of `users` and `memberships`, whatever the number of ids. */
const currentText = `select w.n::integer as n, ${clockColumns}, u.revision, ${stayColumns}
  from definitions d cross join unnest($1::text[]) with ordinality w (user_id, n)
  left join users u on u.user_id = w.user_id
  left join memberships m on m.user_id = w.user_id`;

/**
 * One statement, so one snapshot: a stay that is being moved to the past is seen in one of the two tables, and who misses
 * rows that were dropped sees the mark that was raised before. For that it must be in READ COMMITTED, where the snapshot is
 * taken when the tables are locked, so after a drop that it waited for.
 */
const sinceText = `select ${clockColumns}, u.revision, k.kept_from, ${pastStayColumns}
  from definitions d cross join history_kept k left join users u on u.user_id = $1
  left join (
    select ${stayColumns} from memberships m where m.user_id = $1
    union all
    select ${pastStayColumns} from past_memberships m
     where m.user_id = $1 and m.ends_at >= $2 and m.ends_at >= (select kept_from from history_kept)
  ) m on true`;

interface RawFacts<R extends FactsRow> {
  userId: string;
  /** At least one: without a stay its columns are null. */
  rows: R[];
  sentAt: Mark;
}

interface FactsRow extends Omit<StayRow, 'segment_id'> {
  version: number;
  /** With the version it names the definitions, also of a database that was restored. */
  definitions_revision: number;
  clock_before: number;
  clock_after: number;
  revision: number | null;
  segment_id: number | null;
}

interface KeptRow extends FactsRow {
  kept_from: Moment;
}

/** A stay as the database has it. */
export interface StayRow {
  segment_id: number;
  starts_at: Moment;
  ends_at: Moment;
  since: Moment;
  excluded: boolean;
  begun_by: string;
  begun_cause: CommandCause;
  ended_by: string | null;
  ended_cause: Cause | null;
}

const hasStay = <R extends FactsRow>(row: R): row is R & StayRow => row.segment_id !== null;

export const toStay = (row: StayRow): Stay => ({
  segmentId: row.segment_id,
  startsAt: row.starts_at,
  endsAt: row.ends_at,
  since: row.since,
  excluded: row.excluded,
  begunBy: row.begun_by,
  begunCause: row.begun_cause,
  endedBy: row.ended_by,
  endedCause: row.ended_cause,
});
