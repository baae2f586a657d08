import type { Database } from '../../src/db/database.ts';
import { pastStayColumns, stayColumns, type StayRow, toStay } from '../../src/reading/facts.store.ts';
import { parseRanges } from '../../src/segments/definitions.store.ts';
import type { Moment, Segment, Stay } from '../../src/timeline/facts.ts';

/**
 * Triggers that write down each row that a transaction begins and ends, in that transaction. The tables alone do not tell
 * when a plan was made, or that it was taken back; with this the facts of every user are known as they were after each change.
 * What is written down is compared with the tables at the end. Where `audit.pace` says so a write takes longer meanwhile.
 */
export async function watch({ pool }: Database): Promise<void> {
  await pool.query(auditText);
}

const stayNames = 'user_id, segment_id, starts_at, ends_at, since, excluded, begun_by, begun_cause';

const auditText = `create schema audit
  create table changes (xid xid8 not null default pg_current_xact_id() primary key, at timestamptz not null, revision bigint not null, user_ids text[] not null)
  create table stays (xid xid8 not null default pg_current_xact_id(), what text not null, user_id text collate "C" not null, segment_id integer, starts_at timestamptz,
    ends_at timestamptz, since timestamptz, excluded boolean, begun_by text, begun_cause text, ended_by text, ended_cause text)
  create index stays_by_user on stays (user_id)
  create table pace (seconds real not null)
  create table segments (version bigint primary key, revision bigint not null, segment jsonb not null, rollouts jsonb not null);

create function audit.on_change() returns trigger language plpgsql as $$ begin
  insert into audit.changes (at, revision, user_ids) values (new.at,
    case when cardinality(new.user_ids) = 0 then (select revision from public.definitions)
         else (select revision from public.users where user_id = new.user_ids[1]) end, new.user_ids);
  return null;
end $$;
create trigger audit after insert on changes for each row execute function audit.on_change();

create function audit.on_begin() returns trigger language plpgsql as $$ begin
  insert into audit.stays (what, ${stayNames}) select 'begin', ${stayNames} from rows;
  perform pg_sleep(seconds) from audit.pace;
  return null;
end $$;
create function audit.on_end() returns trigger language plpgsql as $$ begin
  insert into audit.stays (what, ${stayNames}) select 'end', ${stayNames} from rows; return null;
end $$;
create function audit.on_past() returns trigger language plpgsql as $$ begin
  insert into audit.stays (what, ${stayNames}, ended_by, ended_cause) select 'past', ${stayNames}, ended_by, ended_cause from rows; return null;
end $$;
create trigger audit_begin after insert on memberships referencing new table as rows for each statement execute function audit.on_begin();
create trigger audit_end after delete on memberships referencing old table as rows for each statement execute function audit.on_end();
create trigger audit_past after insert on past_memberships referencing new table as rows for each statement execute function audit.on_past();

create function audit.on_definitions() returns trigger language plpgsql as $$ begin
  insert into audit.segments select new.version, new.revision, to_jsonb(s), (select jsonb_agg(jsonb_build_object('from_at', r.from_at, 'to_at', r.to_at,
      'ranges', r.ranges::text, 'changed_by', r.changed_by) order by r.from_at) from public.rollouts r where r.segment_id = s.segment_id)
    from public.segments s where s.updated_at = public.moment_of(new.revision);
  return null;
end $$;
create constraint trigger audit after update on definitions deferrable initially deferred for each row execute function audit.on_definitions();`;

/** One change of a user. */
export interface UserChange {
  readonly moment: Moment;
  readonly revision: number;
  readonly began: readonly Stay[];
  /** The keys of the rows that left the current ones. */
  readonly ended: readonly Stay[];
  /** What became of those that had begun. */
  readonly past: readonly Stay[];
}

/** A user in the database: each change in order, and what the tables hold at the end. */
export interface UserRows {
  readonly changes: readonly UserChange[];
  readonly current: readonly Stay[];
  readonly past: readonly Stay[];
  readonly revision: number | null;
}

interface AuditRow extends StayRow {
  user_id: string;
  xid: string;
  what: 'begin' | 'end' | 'past';
}

/** All that the database knows of these users. */
export async function usersOf({ pool }: Database, userIds: readonly string[]): Promise<Map<string, UserRows>> {
  const own = <R extends { user_id: string }>(rows: R[]) => Map.groupBy(rows, (row) => row.user_id);
  const ask = async <R extends { user_id: string }>(text: string) => own((await pool.query<R>(text, [userIds])).rows);
  const revisions = await ask<{ user_id: string; revision: number }>(
    `select user_id, revision from users where user_id = any($1)`,
  );
  const changes = await ask<{ user_id: string; xid: string; at: Moment; revision: number }>(
    `select u.user_id, c.xid::text as xid, c.at, c.revision from audit.changes c, unnest(c.user_ids) u (user_id)
      where c.user_ids && $1::text[] and u.user_id = any($1) order by c.at`,
  );
  const stays = await ask<AuditRow>(
    `select m.user_id, m.xid::text as xid, m.what, ${pastStayColumns} from audit.stays m where m.user_id = any($1)`,
  );
  const current = await ask<StayRow & { user_id: string }>(
    `select m.user_id, ${stayColumns} from memberships m where m.user_id = any($1)`,
  );
  const past = await ask<StayRow & { user_id: string }>(
    `select m.user_id, ${pastStayColumns} from past_memberships m where m.user_id = any($1)`,
  );
  return new Map(
    userIds.map((userId) => {
      const byXid = Map.groupBy(stays.get(userId) ?? [], ({ xid }) => xid);
      const told = (changes.get(userId) ?? []).map(({ xid, at, revision }): UserChange => {
        const of = (what: AuditRow['what']) => (byXid.get(xid) ?? []).filter((row) => row.what === what).map(toStay);
        return { moment: at, revision, began: of('begin'), ended: of('end'), past: of('past') };
      });
      const list = (rows: Map<string, StayRow[]>) => (rows.get(userId) ?? []).map(toStay);
      return [
        userId,
        {
          changes: told,
          current: list(current),
          past: list(past),
          revision: revisions.get(userId)?.[0]?.revision ?? null,
        },
      ];
    }),
  );
}

/** One change of the definitions: the segment as it was after it. */
export interface DefinitionsChange {
  readonly version: number;
  readonly revision: number;
  readonly segment: Segment & { readonly updatedAt: Moment };
}

interface SegmentRow {
  segment_id: number;
  slug: string;
  salt: string;
  exclusive_group: string | null;
  created_at: string;
  created_by: string;
  updated_at: string;
  deleted_at: string;
  deleted_by: string | null;
}

/** In order. */
export async function definitionsChanges({ pool }: Database): Promise<DefinitionsChange[]> {
  const { rows } = await pool.query<{
    version: number;
    revision: number;
    segment: SegmentRow;
    rollouts: { from_at: string; to_at: string; ranges: string; changed_by: string }[];
  }>(`select version, revision, segment, rollouts from audit.segments order by version`);
  const moment = (text: string) => (text === 'infinity' ? Infinity : Date.parse(text));
  return rows.map(({ version, revision, segment, rollouts }) => ({
    version,
    revision,
    segment: {
      id: segment.segment_id,
      slug: segment.slug,
      salt: segment.salt,
      exclusiveGroup: segment.exclusive_group,
      createdAt: moment(segment.created_at),
      createdBy: segment.created_by,
      updatedAt: moment(segment.updated_at),
      deletedAt: moment(segment.deleted_at),
      deletedBy: segment.deleted_by,
      rollouts: rollouts.map((one) => ({
        startsAt: moment(one.from_at),
        endsAt: moment(one.to_at),
        ranges: parseRanges(one.ranges),
        changedBy: one.changed_by,
      })),
    },
  }));
}

/** Everybody of whom anything is written down. */
export async function everybody({ pool }: Database): Promise<string[]> {
  const { rows } = await pool.query<{ user_id: string }>(
    `select user_id from users union select user_id from audit.stays union select user_id from memberships union select user_id from past_memberships`,
  );
  return rows.map(({ user_id }) => user_id);
}
