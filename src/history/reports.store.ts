import type { Database } from '../db/database.ts';
import { gather } from '../db/gather.ts';
import { momentText } from '../db/moments.ts';
import { inPooledTransaction } from '../db/transaction.ts';
import { pastStayColumns, stayColumns, type StayRow, toStay } from '../reading/facts.store.ts';
import type { Moment, Stay } from '../timeline/facts.ts';

/** Whose stays are asked for, and which of them. */
export interface ReportQuestion {
  readonly from: Moment;
  readonly to: Moment;
  /** Null: of all. */
  readonly segmentIds: readonly number[] | null;
  /** Users without such stays too. */
  readonly isEverybody: boolean;
}

/** The next users in byte order, each with all stays that bear on the period. */
export interface ReportPage {
  readonly users: readonly { readonly userId: string; readonly stays: readonly Stay[] }[];
  /** Behind whom the next page begins; null: nobody is left. */
  readonly next: string | null;
  /** As in `HistoryRead`. */
  readonly keptFrom: Moment;
}

export interface ReportSizes {
  /** Users whose ids are read at once. Default 2,000. */
  readonly usersAtOnce?: number;
  /** Stays that are read at once; of one user always all. Default 5,000. */
  readonly staysAtOnce?: number;
}

export type ReportsStore = ReturnType<typeof reportsStore>;

/** The stays of many users, page by page: each page is a statement or two of some milliseconds, and nothing is held between. */
export function reportsStore({ pool }: Database, { usersAtOnce = 2_000, staysAtOnce = 5_000 }: ReportSizes = {}) {
  const known = async ({ to }: ReportQuestion, after: string): Promise<string[]> => {
    const { rows } = await pool.query<[string]>({
      name: 'reports.known',
      text: `select user_id from users where user_id > $1 and known_since < $2 order by user_id limit $3`,
      values: [after, momentText(to), usersAtOnce],
      rowMode: 'array',
    });
    return rows.map(([userId]) => userId);
  };

  const stays = async ({ from, to, segmentIds }: ReportQuestion, after: string, upTo: string, limit: number | 'all') => {
    const values = [after, upTo, momentText(from), momentText(to)];
    const query = {
      name: `reports.${segmentIds ? 'near' : 'stays'}.${limit}`,
      text: segmentIds ? nearText(limit) : staysText(limit),
      values: segmentIds ? [...values, segmentIds] : values,
    };
    const { rows } = await inPooledTransaction(pool, async (client) => {
      await client.query('set local enable_sort = off'); // else all that is left is sorted for a page of it
      return client.query<PageRow>(query);
    });
    const [mark, ...found] = rows;
    return { keptFrom: mark!.starts_at, found };
  };

  const pageOf = async ({ question, after }: { question: ReportQuestion; after: string }): Promise<ReportPage> => {
    const ids = question.isEverybody ? await known(question, after) : undefined;
    const upTo = ids && ids.length === usersAtOnce ? ids.at(-1)! : beyondAll;
    const { keptFrom, found } = await stays(question, after, upTo, staysAtOnce);
    // The last one's stays may go on behind the limit: that user begins the next page, or is one.
    const cutAt = found.length === staysAtOnce ? found.at(-1)!.user_id : undefined;
    const byUser = Map.groupBy(found, ({ user_id }) => user_id);
    const whole = [...(ids ?? byUser.keys())].filter((userId) => cutAt === undefined || userId < cutAt);
    if (cutAt !== undefined && whole.length === 0) {
      const all = await stays(question, after, cutAt, 'all');
      return { users: [{ userId: cutAt, stays: all.found.map(toStay) }], next: cutAt, keptFrom: all.keptFrom };
    }
    return {
      users: whole.map((userId) => ({ userId, stays: byUser.get(userId)?.map(toStay) ?? none })),
      next: cutAt === undefined ? (upTo === beyondAll ? null : upTo) : whole.at(-1)!,
      keptFrom,
    };
  };

  const inLane = gather({
    lanes: pagesAtOnce,
    maxItems: 1,
    run: async ([asked]: Parameters<typeof pageOf>[0][]) => [await pageOf(asked!)],
  });
  return {
    /** However many reports are made, so many pages are read at a time: the rest of the pool is there for everybody else. */
    page: (question: ReportQuestion, after: string): Promise<ReportPage> => inLane({ question, after }),
  };
}

const pagesAtOnce = 2;

/** Behind every id: these are visible ASCII. */
const beyondAll = '\u{7f}';

const none: readonly Stay[] = [];

/** A stay bears on a period if it began before its end and did not end before its start. */
const presentText = `select m.user_id, ${stayColumns} from memberships m
  where m.user_id > $1 and m.user_id <= $2 and m.starts_at < $4`;
const pastText = `select m.user_id, ${pastStayColumns} from past_memberships m
  where m.user_id > $1 and m.user_id <= $2 and m.ends_at >= $3 and m.starts_at < $4`;

/** The first row is the mark of what is kept, as a start, of the same snapshot as the rest: see `sinceText` of the facts. */
const withMark = (text: string) =>
  `select null as user_id, null::integer as segment_id, kept_from as starts_at, null::timestamptz as ends_at, null::timestamptz as since,
    null::boolean as excluded, null as begun_by, null as begun_cause, null as ended_by, null as ended_cause from history_kept
  union all (${text})`;

const limited = (limit: number | 'all') => `order by user_id limit ${limit}`;

/** By the primary keys, in their order, the partitions merged; each part limited, or all that is left would be read for a page. */
const staysText = (limit: number | 'all') =>
  withMark(`(${presentText} ${limited(limit)}) union all (${pastText} ${limited(limit)}) ${limited(limit)}`);

/** By the indexes by segment, merged. */
const nearText = (limit: number | 'all') =>
  withMark(
    `select m.* from unnest($5::integer[]) n (id) cross join lateral (
        (${presentText} and m.segment_id = n.id ${limited(limit)}) union all (${pastText} and m.segment_id = n.id ${limited(limit)})) m
      ${limited(limit)}`,
  );

interface PageRow extends StayRow {
  user_id: string;
}
