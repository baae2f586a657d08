import assert from 'node:assert/strict';
import { after } from 'node:test';
import pg, { type ClientConfig } from 'pg';

export type Writer = Awaited<ReturnType<typeof openWriter>>;

/** A connection that changes users as the app does, in transactions that a test holds open. It announces nothing. */
export async function openWriter(connection: ClientConfig) {
  const client = new pg.Client(connection);
  client.on('error', () => {}); // shown by the statement under way
  await client.connect();
  after(() => client.end().catch(() => {}));
  const run = async <R extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    (await client.query<R>(text, values)).rows;
  return {
    run,

    /** Puts those in who are not in the segment, and takes out those who are: one change, by one call of `apply_changes`. */
    async toggle(userIds: readonly string[], slug: string): Promise<void> {
      const [row] = await run<{ outcome: string }>(toggleText, [userIds, slug]);
      assert.equal(row?.outcome, 'applied');
    },

    /** Takes a transaction id and does nothing with it: in the transaction under way, or in one of its own. */
    takeId: async (): Promise<bigint> => BigInt((await run<{ id: string }>('select pg_current_xact_id()::text as id'))[0]!.id),

    /** In milliseconds: all that was committed before is older. */
    clock: async (): Promise<number> =>
      Number((await run<{ at: string }>('select ceil(extract(epoch from clock_timestamp()) * 1000) as at'))[0]!.at),

    /** Wakes all that follow. */
    wake: () => run(`select pg_notify('segmentd_changes', '')`),

    end: () => client.end(),
  };
}

const toggleText = `with asked as (
    select u.user_id, x.revision, s.segment_id, m.starts_at
      from unnest($1::text[]) u (user_id)
      join segments s on s.slug = $2 and s.deleted_at = 'infinity'
      left join users x on x.user_id = u.user_id
      left join memberships m on m.user_id = u.user_id and m.segment_id = s.segment_id),
  leaving as (
    select coalesce(array_agg(user_id), '{}') as users, coalesce(array_agg(segment_id), '{}') as segments,
           coalesce(array_agg(starts_at), '{}') as starts, count(*)::int as n from asked where starts_at is not null),
  entering as (
    select coalesce(array_agg(user_id), '{}') as users, coalesce(array_agg(segment_id), '{}') as segments, count(*)::int as n
      from asked where starts_at is null),
  everyone as (
    select array_agg(user_id order by user_id collate "C") as users, array_agg(revision order by user_id collate "C") as revisions,
           count(*)::int as n from asked)
  select a.outcome from everyone u, leaving l, entering e, definitions d, lateral apply_changes(d.version, 0,
    u.users, u.revisions, array_fill('infinity'::timestamptz, array[u.n]),
    l.users, l.segments, l.starts, array_fill(null::timestamptz, array[l.n]), array_fill('request'::text, array[l.n]),
    array_fill('test'::text, array[l.n]),
    e.users, e.segments, array_fill(false, array[e.n]), array_fill(null::timestamptz, array[e.n]),
    array_fill(null::timestamptz, array[e.n]), array_fill(null::interval, array[e.n]), array_fill(null::timestamptz, array[e.n]),
    array_fill('request'::text, array[e.n]), array_fill('test'::text, array[e.n])) a`;
