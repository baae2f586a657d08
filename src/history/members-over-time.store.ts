import type { Database } from '../db/database.ts';
import { momentText } from '../db/moments.ts';
import type { Moment } from '../timeline/facts.ts';

/** How many are in by hand at each moment asked for, in their order. */
export interface MembersOverTime {
  readonly counts: readonly number[];
  /** As in `HistoryRead`. */
  readonly keptFrom: Moment;
}

export type MembersOverTimeStore = ReturnType<typeof membersOverTimeStore>;

/** How many users were in segments by hand, counted by the database over all that was said of them. */
export function membersOverTimeStore({ pool }: Database) {
  return {
    /** Of these segments together, at ascending moments that are settled. One statement, so one snapshot; it takes no locks. */
    async count(segmentIds: readonly number[], moments: readonly Moment[]): Promise<MembersOverTime> {
      const { rows } = await pool.query<CountRow>({
        name: 'members.over_time',
        text: countText,
        values: [segmentIds, moments.map(momentText)],
      });
      const changes = new Float64Array(moments.length + 1);
      for (const { first, last, users } of rows) {
        if (first === null || last === null) continue;
        changes[first]! += users;
        changes[last]! -= users;
      }
      let members = 0;
      return { counts: moments.map((_, i) => (members += changes[i]!)), keptFrom: rows[0]!.kept_from };
    },
  };
}

interface CountRow {
  kept_from: Moment;
  /** Of the moments, counted from 0: the first at which these users are in, and the first at which they are not any more. */
  first: number | null;
  last: number | null;
  users: number;
}

/**
 * By the indexes by segment, in the order of the users, and of the past only the months from the first moment on. A stay counts until
 * its end, the start of the pair's next one or the end of the segment; those in the past have their true end already. The
 * mark of what is kept is of the same snapshot: see `sinceText` of the facts.
 */
const countText = `with stays as (
    select m.segment_id, m.starts_at, m.ends_at, m.excluded
      from unnest($1::integer[]) n (id) cross join lateral (
        select segment_id, starts_at, excluded,
            least(ends_at, lead(starts_at) over (partition by user_id order by starts_at)) as ends_at
          from memberships where segment_id = n.id) m
    union all
    select m.segment_id, m.starts_at, m.ends_at, m.excluded
      from past_memberships m
     where m.segment_id = any($1) and m.ends_at > ($2::timestamptz[])[1] and m.ends_at >= (select kept_from from history_kept)),
  told as (
    select width_bucket(m.starts_at - interval '1 millisecond', $2) as first,
        width_bucket(least(m.ends_at, s.deleted_at) - interval '1 millisecond', $2) as last
      from stays m join segments s on s.segment_id = m.segment_id
     where not m.excluded)
  select k.kept_from, t.first, t.last, t.users
    from history_kept k left join (
      select first, last, count(*) as users from told where first < last group by first, last) t on true`;
