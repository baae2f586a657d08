import type pg from 'pg';
import type { Database } from '../db/database.ts';
import { momentText } from '../db/moments.ts';
import { inPooledTransaction } from '../db/transaction.ts';
import { pastStayColumns, stayColumns, type StayRow, toStay } from '../reading/facts.store.ts';
import type { Moment } from '../timeline/facts.ts';
import type { KnownFacts } from './happenings.ts';
import { endOf, endOfUser, type Position } from './position.ts';

/** What the database tells of the time behind a place, in one snapshot. */
export interface HappeningsRead {
  /** Of the definitions. */
  readonly version: number;
  readonly definitionsRevision: number;
  /** Whoever stands at that moment or before may have missed something. */
  readonly goneUpTo: Moment;
  /** Up to here it is told of whom something may be said; nobody else entered or left by hand. */
  readonly upTo: Position;
  /** Whether that is the end of the time asked for. */
  readonly isLast: boolean;
  /** For whom a stay began or ended, or was said to. */
  readonly userIds: ReadonlySet<string>;
  /** Those of them of whom something still stands, or ended since. */
  readonly users: readonly KnownFacts[];
  /** The next moment behind the time asked for at which a stay ends by itself or a plan begins, as far as is known now. */
  readonly nextAt: Moment;
}

export type HappeningsStore = ReturnType<typeof happeningsStore>;

/** Finds for whom a stay began or ended, and what was said of them. Takes no locks; memory does not grow with the time asked for. */
export function happeningsStore({ pool }: Database, { usersAtOnce = 1_000 }: { usersAtOnce?: number } = {}) {
  const read = async (client: pg.ClientBase, after: Position, settled: Moment): Promise<HappeningsRead> => {
    const { rows } = await client.query<Row>({
      name: 'following.read',
      text: readText,
      values: [momentText(after.at), after.userId, momentText(settled), usersAtOnce],
    });
    const { version, revision, gone_up_to, next_at } = rows[0]!;
    const picked = rows.filter(({ at }) => at !== null);
    const stays = rows.filter((row): row is Row & StayRow => row.segment_id !== null);
    const last = picked.length === usersAtOnce ? picked.at(-1)! : undefined;
    return {
      version,
      definitionsRevision: revision,
      goneUpTo: gone_up_to,
      upTo: last ? endOfUser(last.at!, last.user_id!) : endOf(settled),
      isLast: !last,
      userIds: new Set(picked.map(({ user_id }) => user_id!)),
      users: [...Map.groupBy(stays, ({ user_id }) => user_id!)].map(([userId, own]) => ({ userId, stays: own.map(toStay) })),
      nextAt: next_at ?? Infinity,
    };
  };

  return {
    /** Of the time behind a place and up to a settled moment as much as is read at once, on a connection that `prepare` has seen. */
    read,

    /** The same on a connection of the pool. */
    readApart: (after: Position, settled: Moment): Promise<HappeningsRead> =>
      inPooledTransaction(pool, async (client) => {
        await client.query(`set local enable_sort = off`);
        return read(client, after, settled);
      }),

    /** On statistics of before a large import the planner would sort all that is left for a page of it. */
    prepare: async (client: pg.ClientBase): Promise<void> => void (await client.query(`set enable_sort = off`)),
  };
}

interface Row extends Omit<StayRow, 'segment_id'> {
  version: number;
  revision: number;
  gone_up_to: Moment;
  next_at: Moment | null;
  /** Of a row about when something may have happened to a user; in order. */
  at: Moment | null;
  user_id: string | null;
  /** Of a row about a stay. */
  segment_id: number | null;
}

const range = (at: string) => `(${at}, user_id) >= ($1, $2) and ${at} >= $1 and ${at} <= $3`;
const inOrder = (at: string) => `order by ${at}, user_id limit $4`;

/**
 * Who from the place on has a stay that began or ended: by a command (the log of changes), by its end (among the current ones,
 * or moved since), or by a planned start. Each by its index, in order, the first so many of each; so the first so many of all
 * are among them. Of these the stays, those that ended from there on too: of the past only the months since, up to the present
 * one, which a clock that was set back may tell to be an earlier one than that of the settled moment.
 * In one statement, so in one snapshot: a stay that is being moved is seen in one of the two tables, and who misses rows that
 * were dropped sees the mark that was raised with that.
 */
const readText = `with picked as materialized (
    select at, user_id from (
      (select c.at, u.user_id collate "C" as user_id from changes c cross join unnest(c.user_ids) u (user_id)
        where c.at >= $1 and c.at <= $3 and (c.at > $1 or u.user_id collate "C" >= $2) ${inOrder('at')})
      union
      (select distinct ends_at, user_id from memberships where ends_at < 'infinity' and ${range('ends_at')} ${inOrder('ends_at')})
      union
      (select distinct ends_at, user_id from past_memberships where ended_cause = 'ttl' and ${range('ends_at')} ${inOrder('ends_at')})
      union
      (select starts_at, user_id from planned_starts where ${range('starts_at')} ${inOrder('starts_at')})) one (at, user_id)
    ${inOrder('at')})
  select d.version, d.revision, greatest(p.up_to, k.kept_from - interval '1 millisecond') as gone_up_to,
      least((select ends_at from memberships where ends_at < 'infinity' and ends_at > $3 order by ends_at limit 1),
        (select starts_at from planned_starts where starts_at > $3 order by starts_at limit 1)) as next_at, x.*
    from definitions d cross join changes_pruned p cross join history_kept k left join (
      (select at, user_id, null::integer as segment_id, null::timestamptz as starts_at, null::timestamptz as ends_at, null::timestamptz as since,
          null::boolean as excluded, null as begun_by, null as begun_cause, null as ended_by, null as ended_cause
        from picked ${inOrder('at')})
      union all
      select null, u.user_id, m.* from (select distinct user_id from picked) u cross join lateral (
        select ${stayColumns} from memberships m where m.user_id = u.user_id
        union all
        select ${pastStayColumns} from past_memberships m
         where m.user_id = u.user_id and m.ends_at >= $1 and m.ends_at <= greatest(now(), $3) + interval '1 minute') m) x on true`;
