-- The schema and its write functions. The rules live in TypeScript (src/timeline): facts are read, a pure function decides,
-- and these apply the decision, or say that it is stale. SQL knows locks, moments and rows, and nothing of percentages,
-- exclusions, groups or plans; of a TTL only that it counts from the start. See docs/decisions/0001 and 0002.
-- Only in READ COMMITTED, one call a transaction: each statement must see what was committed before it began.
-- Order of locks, everywhere: the gate, known users in byte order, new users in byte order.

create table gate ();              -- holds no rows; only its relation lock is used (fast path, no tuple writes)

create sequence settled as bigint minvalue 0 start 0;  -- a register, not a counter: the greatest microsecond up to
                                   -- which history was promised to be final. A sequence because setval writes in
                                   -- place (no dead rows under a long dump) and is durable with its commit

create table definitions (         -- one row: version and last revision of any change of segments and rollouts
  one      boolean primary key default true check (one),
  version  bigint not null default 0,
  revision bigint not null default 0
);
insert into definitions default values;

create table segments (
  segment_id      integer generated always as identity primary key,
  slug            text collate "C" not null,
  description     text not null default '',
  salt            text collate "C" not null,
  exclusive_group text collate "C",
  created_at      timestamptz not null,
  created_by      text not null,
  updated_at      timestamptz not null,
  deleted_at      timestamptz not null default 'infinity',
  deleted_by      text,
  check (created_at < deleted_at)
);
create unique index segments_living_slug on segments (slug) where deleted_at = 'infinity';

create table rollouts (            -- present, past and scheduled; one begins where the last ends. Kept for ever: the order
                                   -- in which buckets were taken is read from them
  segment_id  integer not null references segments,
  from_at     timestamptz not null,
  to_at       timestamptz not null default 'infinity',
  ranges      int4multirange not null,
  changed_by  text not null,
  primary key (segment_id, from_at),
  check (from_at < to_at)
);

create table users (               -- one row a user ever written: the user's lock, revision and "known since"
  user_id     text collate "C" primary key,
  known_since timestamptz not null,
  revision    bigint not null      -- the clock of the newest change, in microseconds
) with (fillfactor = 80);          -- room for the HOT update of every change

create table memberships (         -- stays that are not over, or not moved yet: current and planned ones. Of one pair a
                                   -- stay counts until its end or until the next one's start, so a plan cuts nothing
                                   -- before its time, and what it would have cut goes on when it is taken back.
                                   -- No foreign key to segments: its FOR KEY SHARE on one hot row makes a multixact
                                   -- a change; segments are never deleted physically and the gate orders the rest
  user_id     text collate "C" not null,
  segment_id  integer not null,
  starts_at   timestamptz not null,
  ends_at     timestamptz not null,
  since       timestamptz not null, -- start of the unbroken stretch: moving an end ends one stay and begins the next
  excluded    boolean not null,
  begun_by    text not null,       -- who set it, and its end
  begun_cause text not null,
  primary key (user_id, segment_id, starts_at),
  check (starts_at < ends_at)
) with (fillfactor = 90);
create index memberships_by_segment on memberships (segment_id, user_id);

create table past_memberships (
  user_id     text collate "C" not null,
  segment_id  integer not null,
  starts_at   timestamptz not null,
  ends_at     timestamptz not null,
  since       timestamptz not null,
  excluded    boolean not null,
  begun_by    text not null,
  begun_cause text not null,
  ended_by    text not null,
  ended_cause text not null,
  primary key (user_id, segment_id, starts_at, ends_at),
  check (starts_at < ends_at and ends_at < 'infinity')
) partition by range (ends_at);
create table past_memberships_default partition of past_memberships default;  -- a net; a row in it: months were not made in time
do $$
declare
  month timestamp;
begin
  for month in select generate_series(timestamp '2026-01-01', timestamp '2031-12-01', interval '1 month') loop
    execute format('create table past_memberships_%s partition of past_memberships for values from (%L) to (%L)',
                   to_char(month, 'YYYY_MM'), month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
  end loop;
end $$;
create index past_memberships_by_segment on past_memberships (segment_id, user_id);

-- What followers read, on the primary only. A follower keeps the pg_current_snapshot() of its last poll; new is exactly
--   xid >= pg_snapshot_xmax($prev) or xid = any (array (select pg_snapshot_xip($prev))).
-- After a lost connection also: at >= the moment of that poll (a crashed server gives unflushed xids again).
create table changes (
  xid      xid8   not null,        -- pg_current_xact_id() of the writer: one row a transaction
  at       timestamptz not null,
  user_ids text[] not null,        -- empty: definitions changed
  primary key (xid)
);
create index changes_by_moment on changes (at);
-- A follower whose previous xmin is below this has lost rows and reloads.
create table changes_pruned (one boolean primary key default true check (one), below xid8 not null default '0');
insert into changes_pruned default values;

create function moment_of(revision bigint) returns timestamptz language sql immutable as
  $$ select date_trunc('milliseconds', to_timestamp(0) + (revision / 1000) * interval '1 millisecond') $$;

-- The revision of a change: the database's clock in microseconds. Its moment, cut to the millisecond, is strictly after
-- that of `after` and after everything promised settled. It waits for the clock (about 1 ms) rather than run ahead of
-- it: a stay must not begin in the future, or its own writer would not see it. A clock further back is refused (SD001).
-- Call it only with the gate and every lock held.
create function revision_after(after bigint) returns bigint language plpgsql volatile as $$
declare
  now_us bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
  low    bigint := (greatest(after, (select last_value from settled)) / 1000 + 1) * 1000;
begin
  while now_us < low loop
    if low - now_us > 1000000 then
      raise exception 'the database clock is % us behind its own history', low - now_us using errcode = 'SD001';
    end if;
    perform pg_sleep((low - now_us) / 1e6);
    now_us := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
  end loop;
  return now_us;
end $$;

-- The revision up to which history is final: no change still to commit, or still to come, has a moment up to it.
-- Every writer takes the gate before it reads the clock and keeps it until it is visible. So a writer with a moment up
-- to t either holds the gate now (and its moment is not before its xact_start) or is visible to the NEXT snapshot.
-- Call it in a transaction of its own, then read. Transactions that do not write here never hold it back.
-- Needs to see the sessions of all writers: one role for all, or pg_read_all_stats; else it promises nothing.
create function settle() returns bigint language plpgsql volatile as $$
declare
  t timestamptz := clock_timestamp();
  s bigint;
begin
  -- No xact_start: the holder has just finished (visible to the next snapshot) or just begun (after t): no concern.
  -- Not being allowed to see it, or a prepared transaction, is: then nothing new is promised.
  select (extract(epoch from least(t, min(case when l.pid is null or a.state = 'disabled' or (a.pid is not null and a.state is null)
                           then to_timestamp(0) else coalesce(a.xact_start, t) end))) * 1000000)::bigint into s
    from pg_locks l left join pg_stat_activity a on a.pid = l.pid
   where l.locktype = 'relation' and l.relation = 'gate'::regclass and l.mode <> 'AccessShareLock'
     and l.database = (select oid from pg_database where datname = current_database());
  s := (s / 1000 - 1) * 1000;
  if s > (select last_value from settled) then
    perform pg_advisory_xact_lock(hashtext('settled'));        -- setval must not go back
    if s > (select last_value from settled) then perform setval('settled', s); end if;
  end if;
  return (select last_value from settled);
end $$;

-- Applies decisions about users, each made on that user's facts at a revision, for moments from p_decided (microseconds)
-- until its good_until. A decision whose user has changed since, or whose time has passed, is not applied and its user is
-- answered as stale: read, decide and send it again. A PATCH is one user and applies whole or not at all; a batch applies what is not stale, at one moment.
-- Users in byte order without repeats, a null revision for a user nobody wrote before. Ends name a stay by user, segment
-- and start, and end it where they say (what a plan replaced), else where it ended by itself, else at the moment; what had
-- not begun leaves no trace. A begin without a start begins at the moment; without an end it ends `ttl` after its start,
-- or never; without a since it counts from its start.
create function apply_changes(
  p_version bigint, p_decided bigint, p_users text[], p_revisions bigint[], p_good_until timestamptz[],
  e_user text[], e_segment int[], e_start timestamptz[], e_end timestamptz[], e_cause text[], e_by text[],
  b_user text[], b_segment int[], b_excluded boolean[], b_start timestamptz[], b_end timestamptz[], b_ttl interval[], b_since timestamptz[], b_cause text[], b_by text[],
  out outcome text, out revision bigint, out stale text[])
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_version bigint;
  v_after   bigint;
  m         timestamptz;
  v_done    text[];
  v_named   int;
  v_ended   int;
begin
  lock table gate in row share mode;               -- conflicts only with a change of definitions
  select f.version, greatest(f.revision, s.last_value) into v_version, v_after from definitions f, settled s;
  if v_version <> p_version then outcome := 'stale_definitions'; return; end if;

  if cardinality(p_users) > 1 then                 -- many rows are locked in order, or batches deadlock
    perform from users u where u.user_id = any (p_users) order by u.user_id for no key update;
  end if;
  -- The clock, with the gate held. Later than the user's last change too: that one lies before the revision compared below.
  v_after := greatest(v_after, p_decided - 1000, (select max(r) from unnest(p_revisions) r));
  revision := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
  if revision / 1000 <= v_after / 1000 then revision := revision_after(v_after); end if;
  m := moment_of(revision);

  -- Compare and set. The row lock that this takes is the user's lock until commit.
  with done as (
    update users u set revision = apply_changes.revision from unnest(p_users, p_revisions, p_good_until) w (user_id, revision, good_until)
     where u.user_id = w.user_id and u.revision = w.revision and w.good_until > m returning u.user_id)
  select array_agg(d.user_id) into v_done from done d;
  if array_position(p_revisions, null) is not null then   -- the unique key decides who makes a user
    with made as (
      insert into users select w.user_id, m, apply_changes.revision from unnest(p_users, p_revisions, p_good_until) w (user_id, revision, good_until)
       where w.revision is null and w.good_until > m order by w.user_id
      on conflict (user_id) do nothing returning user_id)
    select v_done || array_agg(d.user_id) into v_done from made d;
  end if;
  if v_done is null then outcome := 'stale'; stale := p_users; return; end if;
  stale := '{}';
  if cardinality(v_done) < cardinality(p_users) then
    stale := array (select u from unnest(p_users) u except select u from unnest(v_done) u);
  end if;

  if cardinality(e_user) > 0 then
    with ended as (
      delete from memberships c
       using unnest(e_user, e_segment, e_start, e_end, e_cause, e_by) e (user_id, segment_id, starts_at, ends_at, cause, ended_by)
       where c.user_id = e.user_id and c.segment_id = e.segment_id and c.starts_at = e.starts_at and e.user_id <> all (stale)
      returning c.*, coalesce(e.ends_at, least(c.ends_at, m)) as ended_at, e.cause, e.ended_by),
    moved as (
      insert into past_memberships
        select e.user_id, e.segment_id, e.starts_at, e.ended_at, e.since, e.excluded, e.begun_by, e.begun_cause, e.ended_by, e.cause
          from ended e where e.starts_at < least(m, e.ended_at))
    select count(*) into v_ended from ended;
    select count(*) into v_named from unnest(e_user) u where u <> all (stale);
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
       where b.user_id <> all (stale);
  end if;
  insert into changes values (pg_current_xact_id(), m, v_done);
  outcome := 'applied';
end $$;

-- Begins a change of segments or rollouts that was decided on definitions of `p_version`: alone behind the gate, at a moment
-- after every stay and before every later one. Null when other definitions stand by now: decide again.
-- Writers queue behind a waiting request, so it gives up early (55P03); the caller tries again.
create function begin_definitions_change(p_version bigint) returns bigint language plpgsql volatile as $$
declare
  v_revision bigint;
begin
  perform set_config('lock_timeout', '100ms', true);
  lock table gate in exclusive mode;               -- waits for the writers in flight, nothing else
  if (select f.version from definitions f) <> p_version then return null; end if;
  v_revision := revision_after(greatest((select f.revision from definitions f), (extract(epoch from clock_timestamp()) * 1000000)::bigint));
  update definitions set version = version + 1, revision = v_revision;
  insert into changes values (pg_current_xact_id(), moment_of(v_revision), '{}');
  return v_revision;
end $$;

create function create_segment(p_version bigint, p_slug text, p_description text, p_salt text, p_group text, p_ranges int4multirange, p_by text)
returns bigint language plpgsql volatile as $$
declare
  v_revision bigint := begin_definitions_change(p_version);
  v_id       integer;
begin
  if v_revision is null then return null; end if;
  insert into segments (slug, description, salt, exclusive_group, created_at, created_by, updated_at)
    values (p_slug, p_description, p_salt, p_group, moment_of(v_revision), p_by, moment_of(v_revision)) returning segment_id into v_id;
  insert into rollouts (segment_id, from_at, ranges, changed_by) values (v_id, moment_of(v_revision), p_ranges, p_by);
  return v_revision;
end $$;

-- Null ranges, or a null description: as it was.
create function change_segment(p_version bigint, p_segment integer, p_description text, p_ranges int4multirange, p_by text)
returns bigint language plpgsql volatile as $$
declare
  v_revision bigint := begin_definitions_change(p_version);
  m          timestamptz := moment_of(v_revision);
begin
  if v_revision is null then return null; end if;
  update segments set description = coalesce(p_description, description), updated_at = m where segment_id = p_segment;
  if p_ranges is not null then
    update rollouts set to_at = m where segment_id = p_segment and from_at < m and to_at > m;
    insert into rollouts (segment_id, from_at, ranges, changed_by) values (p_segment, m, p_ranges, p_by);
  end if;
  return v_revision;
end $$;

-- One small write, however many members it has: every stay in the segment ends with it.
create function delete_segment(p_version bigint, p_segment integer, p_by text) returns bigint language plpgsql volatile as $$
declare
  v_revision bigint := begin_definitions_change(p_version);
begin
  if v_revision is null then return null; end if;
  update segments set deleted_at = moment_of(v_revision), deleted_by = p_by, updated_at = moment_of(v_revision) where segment_id = p_segment;
  return v_revision;
end $$;

create table api_keys (            -- a name is never given again, so a revoked key keeps its row
  name       text collate "C" primary key,
  sha256     bytea not null unique check (octet_length(sha256) = 32),
  scope      text not null check (scope in ('read', 'write', 'admin')),
  created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  revoked_at timestamptz not null default 'infinity'
);

create table secrets (             -- made once by the first process that needs one: the key that signs links
  name  text primary key,
  value bytea not null
);
