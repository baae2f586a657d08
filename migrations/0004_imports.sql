-- Files of ids: received into a table of their own, then applied batch by batch in byte order of the ids, each batch one
-- transaction that also saves how far it came. See docs/decisions/0015.
-- Order of locks, where a batch is applied: the import's row, then as in apply_changes.

create table imports (
  import_id        uuid primary key,              -- version 7 (RFC 9562): in the order of their making
  segment_id       integer not null,              -- one life of a slug
  operation        text not null check (operation in ('add', 'remove', 'replace')),
  ends_at          timestamptz not null,          -- one end for the file, 'infinity' without a TTL
  replace_in_group boolean not null,
  created_by       text not null,
  created_at       timestamptz not null,
  state            text not null default 'receiving' check (state in ('receiving', 'running', 'done', 'failed', 'cancelled')),
  error            text,
  received         bigint not null default 0,
  applied          bigint not null default 0,
  unchanged        bigint not null default 0,
  rejected         bigint not null default 0,
  removed          bigint not null default 0,
  revision         bigint,                        -- of the last batch that wrote
  finished_at      timestamptz,
  -- How far it came. Rows of the file first; of a replacement then those whom the file lacks ('leavers').
  phase            text not null default 'rows' check (phase in ('rows', 'leavers')),
  done_up_to       text collate "C" not null default '',   -- every row up to this id and line is dealt with, but for:
  done_line        bigint not null default 0,
  pending_users    text[] not null default '{}',  -- those who were changed by others meanwhile, to be decided anew,
  pending_lines    bigint[] not null default '{}',-- and where they stand in the file
  -- Who works on it. Whoever is late loses it: each batch is written only by the owner.
  owner            uuid not null,
  lease_until      timestamptz not null,
  attempts         integer not null default 0     -- since the last batch
);
create index imports_unfinished on imports (lease_until) where state in ('receiving', 'running');

create table import_rejects (
  import_id uuid not null references imports on delete cascade,
  line      bigint not null,
  value     text not null,
  reason    text not null,
  primary key (import_id, line)
);

create table import_keys (         -- Idempotency-Key: claimed when a file was received whole
  created_by  text not null,
  key         text not null,
  import_id   uuid not null references imports on delete cascade,
  fingerprint text not null,       -- of what was asked and of the file
  kept_since  timestamptz not null default clock_timestamp(),
  primary key (created_by, key)
);
create index import_keys_of_import on import_keys (import_id);

-- RFC 9562, section 5.7: 48 bits of milliseconds, then the version, then chance.
create function new_import_id() returns uuid language sql volatile as $$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- As before (0002), but that nothing is looked up where all of them are new: a fifth of the time of such a batch.
create or replace function apply_changes(
  p_version bigint, p_decided bigint, p_users text[], p_revisions bigint[], p_good_until timestamptz[],
  e_user text[], e_segment int[], e_start timestamptz[], e_end timestamptz[], e_cause text[], e_by text[],
  b_user text[], b_segment int[], b_excluded boolean[], b_start timestamptz[], b_end timestamptz[], b_ttl interval[], b_since timestamptz[], b_cause text[], b_by text[],
  p_waits boolean default true,
  out outcome text, out revision bigint, out stale text[], out busy text[])
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_version bigint;
  v_known   bigint;  -- the newest revision of those who are known; null where all are new
  v_after   bigint;
  m         timestamptz;
  v_done    text[];
  v_undone  text[] := '{}';
  v_named   int;
  v_ended   int;
begin
  busy := '{}';
  lock table gate in row share mode;               -- conflicts only with a change of definitions
  select f.version, greatest(f.revision, s.last_value) into v_version, v_after from definitions f, settled s;
  if v_version <> p_version then outcome := 'stale_definitions'; stale := p_users; return; end if;

  v_known := (select max(r) from unnest(p_revisions) r);
  if not p_waits then
    perform set_config('lock_timeout', '100ms', true);
    busy := array (                                -- who is there and could not be locked
      select u.user_id from users u where u.user_id = any (p_users) and u.user_id not in (
        select l.user_id from users l where l.user_id = any (p_users) order by l.user_id for no key update skip locked));
  elsif cardinality(p_users) > 1 and v_known is not null then              -- many rows are locked in order, or batches deadlock
    perform from users u where u.user_id = any (p_users) order by u.user_id for no key update;
  end if;
  -- The clock, with the gate held. Later than the user's last change too: that one lies before the revision compared below.
  v_after := greatest(v_after, p_decided - 1000, v_known);
  revision := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
  if revision / 1000 <= v_after / 1000 then revision := revision_after(v_after); end if;
  m := moment_of(revision);

  -- Compare and set. The row lock that this takes is the user's lock until commit.
  if v_known is not null then
    with done as (
      update users u set revision = apply_changes.revision from unnest(p_users, p_revisions, p_good_until) w (user_id, revision, good_until)
       where u.user_id <> all (busy) and u.user_id = w.user_id and u.revision = w.revision and w.good_until > m returning u.user_id)
    select array_agg(d.user_id) into v_done from done d;
  end if;
  if array_position(p_revisions, null) is not null then   -- the unique key decides who makes a user
    with made as (
      insert into users select w.user_id, m, apply_changes.revision from unnest(p_users, p_revisions, p_good_until) w (user_id, revision, good_until)
       where w.revision is null and w.good_until > m and w.user_id <> all (busy) order by w.user_id collate "C"
      on conflict (user_id) do nothing returning user_id)
    select v_done || array_agg(d.user_id) into v_done from made d;
  end if;
  if cardinality(v_done) is distinct from cardinality(p_users) then
    v_undone := array (select u from unnest(p_users) u except select u from unnest(v_done) u);
  end if;
  stale := array (select u from unnest(v_undone) u where u <> all (busy));
  if v_done is null then outcome := 'stale'; return; end if;

  if cardinality(e_user) > 0 then
    with ended as (
      delete from memberships c
       using unnest(e_user, e_segment, e_start, e_end, e_cause, e_by) e (user_id, segment_id, starts_at, ends_at, cause, ended_by)
       where c.user_id = e.user_id and c.segment_id = e.segment_id and c.starts_at = e.starts_at and e.user_id <> all (v_undone)
      returning c.*, coalesce(e.ends_at, least(c.ends_at, m)) as ended_at, e.cause, e.ended_by),
    moved as (
      insert into past_memberships
        select e.user_id, e.segment_id, e.starts_at, e.ended_at, e.since, e.excluded, e.begun_by, e.begun_cause, e.ended_by, e.cause
          from ended e where e.starts_at < least(m, e.ended_at))
    select count(*) into v_ended from ended;
    select count(*) into v_named from unnest(e_user) u where u <> all (v_undone);
    if v_ended <> v_named then                     -- with the revision equal this cannot be: a decision on other facts
      raise exception 'a decision ends % stays, of which % exist', v_named, v_ended using errcode = 'SD002';
    end if;
  end if;
  if cardinality(b_user) > 0 then
    insert into memberships
      select b.user_id, b.segment_id, coalesce(b.starts_at, m), coalesce(b.ends_at, coalesce(b.starts_at, m) + b.ttl, 'infinity'),
             coalesce(b.since, b.starts_at, m), b.excluded, b.begun_by, b.cause
        from unnest(b_user, b_segment, b_excluded, b_start, b_end, b_ttl, b_since, b_cause, b_by)
             b (user_id, segment_id, excluded, starts_at, ends_at, ttl, since, cause, begun_by)
       where b.user_id <> all (v_undone);
  end if;
  insert into changes values (pg_current_xact_id(), m, v_done);
  outcome := 'applied';
end $$;

-- Of a batch the most columns say the same for each row: such a one comes as one element.
create function spread(p_values anyarray, p_count int) returns anyarray language sql immutable as $$
  select case when cardinality(p_values) = 1 and p_count <> 1 then array_fill(p_values[1], array[p_count]) else p_values end
$$;

-- Applies the decisions about a batch (see apply_changes) and saves what came of it, in one. `lost`: another process has the
-- import by now, or it was cancelled; nothing is written. `stale_definitions`: nothing is written, decide again. Else the
-- batch is done but for those that are stale: they are kept as pending.
-- p_lines: where the users of p_users stand in the file.
create function apply_import_batch(
  p_import uuid, p_owner uuid, p_lease interval, p_up_to text, p_up_to_line bigint, p_unchanged bigint,
  p_reject_lines bigint[], p_reject_values text[], p_reject_reasons text[], p_lines bigint[],
  p_version bigint, p_decided bigint, p_users text[], p_revisions bigint[], p_good_until timestamptz[],
  e_user text[], e_segment int[], e_start timestamptz[], e_end timestamptz[], e_cause text[], e_by text[],
  b_user text[], b_segment int[], b_excluded boolean[], b_start timestamptz[], b_end timestamptz[], b_ttl interval[], b_since timestamptz[], b_cause text[], b_by text[],
  out outcome text, out revision bigint, out stale text[])
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_phase   text;
  v_done    bigint := 0;
  v_pending_users text[] := '{}';
  v_pending_lines bigint[] := '{}';
begin
  select i.phase into v_phase from imports i where i.import_id = p_import and i.owner = p_owner and i.state = 'running' for no key update;
  if not found then outcome := 'lost'; stale := p_users; return; end if;
  outcome := 'unchanged';
  stale := '{}';
  if cardinality(p_users) > 0 then
    select a.outcome, a.revision, a.stale into outcome, revision, stale
      from apply_changes(p_version, p_decided, p_users, spread(p_revisions, cardinality(p_users)), spread(p_good_until, cardinality(p_users)),
        e_user, spread(e_segment, cardinality(e_user)), spread(e_start, cardinality(e_user)), spread(e_end, cardinality(e_user)),
        spread(e_cause, cardinality(e_user)), spread(e_by, cardinality(e_user)),
        b_user, spread(b_segment, cardinality(b_user)), spread(b_excluded, cardinality(b_user)), spread(b_start, cardinality(b_user)),
        spread(b_end, cardinality(b_user)), spread(b_ttl, cardinality(b_user)), spread(b_since, cardinality(b_user)),
        spread(b_cause, cardinality(b_user)), spread(b_by, cardinality(b_user)), true) a;
    if outcome = 'stale_definitions' then return; end if;
    v_done := cardinality(p_users) - cardinality(stale);
    if v_done = 0 then revision := null; end if;
    if cardinality(stale) > 0 then
      select array_agg(w.user_id order by w.user_id collate "C"), array_agg(w.line order by w.user_id collate "C")
        into v_pending_users, v_pending_lines from unnest(p_users, p_lines) w (user_id, line) where w.user_id = any (stale);
    end if;
  end if;
  if cardinality(p_reject_lines) > 0 then
    insert into import_rejects select p_import, r.line, r.value, r.reason
      from unnest(p_reject_lines, p_reject_values, p_reject_reasons) r (line, value, reason);
  end if;
  update imports i set
    applied = i.applied + case when v_phase = 'rows' then v_done else 0 end,
    removed = i.removed + case when v_phase = 'leavers' then v_done else 0 end,
    unchanged = i.unchanged + p_unchanged,
    rejected = i.rejected + cardinality(p_reject_lines),
    revision = coalesce(apply_import_batch.revision, i.revision),
    done_up_to = p_up_to,
    done_line = p_up_to_line,
    pending_users = v_pending_users,
    pending_lines = v_pending_lines,
    lease_until = clock_timestamp() + p_lease,
    attempts = 0
  where i.import_id = p_import;
end $$;
