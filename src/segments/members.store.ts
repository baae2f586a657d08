import { to as copyTo } from 'pg-copy-streams';
import type { Database, DatabaseClient } from '../db/database.ts';
import { momentText } from '../db/moments.ts';
import type { Moment } from '../timeline/facts.ts';

export interface Member {
  readonly userId: string;
  readonly since: Moment;
  readonly endsAt: Moment;
}

export type MembersStore = ReturnType<typeof membersStore>;

/** How long who reads an export may leave its connection without taking a byte. */
const stallMs = 60_000;

/** Who is in a segment by hand, looked at from the segment. */
export function membersStore({ pool, connect }: Database) {
  return {
    /** Those in by hand at the moment with an id after `after`, in byte order: by the index `memberships_by_segment`. */
    async list(segmentId: number, moment: Moment, after: string, limit: number): Promise<Member[]> {
      const { rows } = await pool.query<{ user_id: string; since: Moment; ends_at: Moment }>({
        name: 'members.list',
        text: membersText,
        values: [segmentId, momentText(moment), after, limit],
      });
      return rows.map((row) => ({ userId: row.user_id, since: row.since, endsAt: row.ends_at }));
    },

    /** How many are in by hand at the moment, by segment; without an entry: nobody. */
    async count(segmentIds: readonly number[], moment: Moment): Promise<Map<number, number>> {
      const { rows } = await pool.query<{ segment_id: number; members: number }>({
        name: 'members.count',
        text: countText,
        values: [segmentIds, momentText(moment)],
      });
      return new Map(rows.map((row) => [row.segment_id, row.members]));
    },

    /**
     * All who are in by hand at the moment, an id a line in byte order, quoted as RFC 4180 asks: one read of one snapshot, as
     * fast as it is taken. On a connection of its own, which is there when this returns and ends with the last line, or when
     * the reader leaves off or is `gone`, be the first line asked for or not.
     */
    async export(segmentId: number, moment: Moment, gone: AbortSignal): Promise<AsyncGenerator<Buffer>> {
      const client = await connect({ queryTimeoutMs: 0 });
      const end = () => void client.end().catch(() => {}); // cuts what is under way
      try {
        await client.query(`set statement_timeout = 0; set enable_hashagg = off`);
      } catch (error) {
        await client.end().catch(() => {}); // what went wrong is known already
        throw error;
      }
      if (gone.aborted) end();
      else gone.addEventListener('abort', end);
      return linesOf(client, exportText(segmentId, momentText(moment)));
    },
  };
}

async function* linesOf(client: DatabaseClient, query: string): AsyncGenerator<Buffer> {
  const watchdog = setTimeout(() => void client.end().catch(() => {}), stallMs); // cuts what is under way
  try {
    for await (const piece of client.query(copyTo(query)) as AsyncIterable<Buffer>) {
      watchdog.refresh();
      yield piece;
      watchdog.refresh();
    }
  } finally {
    clearTimeout(watchdog);
    await client.end().catch(() => {}); // the reader has left off, or has been told
  }
}

/**
 * COPY takes no parameters; these are a number and a moment of our own. As `inByHand` says, but read once in the order of the
 * index by segment: the newest stay that has begun decides, and nearly nobody has two (measured on a million members: 0.4
 * times what the second look for each row took).
 */
const exportText = (segmentId: number, moment: string) =>
  `copy (select m.user_id from memberships m where m.segment_id = ${segmentId} and m.starts_at <= '${moment}' group by m.user_id
    having case count(*) when 1 then bool_and(not m.excluded and m.ends_at > '${moment}') else (
      select not newest.excluded and newest.ends_at > '${moment}' from memberships newest
       where newest.user_id = m.user_id and newest.segment_id = ${segmentId} and newest.starts_at <= '${moment}'
       order by newest.starts_at desc limit 1) end
    order by m.user_id) to stdout (format csv)`;

/** A stay that a later one of the pair has cut does not count, ended or not. */
const inByHand = `not m.excluded and m.starts_at <= $2 and m.ends_at > $2 and not exists (
    select from memberships later where later.user_id = m.user_id and later.segment_id = m.segment_id
      and later.starts_at > m.starts_at and later.starts_at <= $2)`;

const membersText = `select m.user_id, m.since, m.ends_at from memberships m
  where m.segment_id = $1 and m.user_id > $3 and ${inByHand} order by m.user_id limit $4`;

const countText = `select m.segment_id, count(*) as members from memberships m
  where m.segment_id = any($1::integer[]) and ${inByHand} group by m.segment_id`;
