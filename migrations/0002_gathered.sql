-- Changes of different users that wait at the same time go in one call of apply_changes. New in it, against 0001: `p_waits` and
-- `busy`, and new users are made in byte order whatever the collation of the database. See docs/decisions/0009.

drop function apply_changes;

-- Applies decisions about users, each made on that user's facts at a revision, for moments from p_decided (microseconds)
-- until its good_until. A decision whose user has changed since, or whose time has passed, is not applied and its user is
-- answered as stale: read, decide and send it again. A decision applies whole or not at all; of many, those that are not
-- stale are applied, at one moment. Users without repeats, a null revision for a user nobody wrote before.
-- Ends name a stay by user, segment and start, and end it where they say (what a plan replaced), else where it ended by
-- itself, else at the moment; what had not begun leaves no trace. A begin without a start begins at the moment; without an
-- end it ends `ttl` after its start, or never; without a since it counts from its start.
--
-- `p_waits`: whether rows that others have locked are waited for. A batch of one sender (an import) and a change sent alone
-- wait, as long as the session's lock_timeout lets them. Changes of different people, gathered into one call, must not: a
-- row that somebody holds is skipped and its user answered as `busy`, to be sent alone. A new user whom another transaction
-- is making cannot be skipped, nor can a table that is locked; for these the wait is short (55P03: send each alone).
-- It is a parameter and not the number of users, since a gathered call that happens to hold one is waited for by the next.
-- It has a default, so that processes of the release before go on writing while the first new one has migrated.
-- Deadlocks: whoever waits for known users takes them in byte order and has made no user yet; gathered calls wait for no
-- known user; everybody makes new users last, in byte order. So no circle of waits closes.
create function apply_changes(
  p_version bigint, p_decided bigint, p_users text[], p_revisions bigint[], p_good_until timestamptz[],
  e_user text[], e_segment int[], e_start timestamptz[], e_end timestamptz[], e_cause text[], e_by text[],
  b_user text[], b_segment int[], b_excluded boolean[], b_start timestamptz[], b_end timestamptz[], b_ttl interval[], b_since timestamptz[], b_cause text[], b_by text[],
  p_waits boolean default true,
  out outcome text, out revision bigint, out stale text[], out busy text[])
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_version bigint;
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

  if not p_waits then
    perform set_config('lock_timeout', '100ms', true);
    busy := array (                                -- who is there and could not be locked
      select u.user_id from users u where u.user_id = any (p_users) and u.user_id not in (
        select l.user_id from users l where l.user_id = any (p_users) order by l.user_id for no key update skip locked));
  elsif cardinality(p_users) > 1 then              -- many rows are locked in order, or batches deadlock
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
     where u.user_id <> all (busy) and u.user_id = w.user_id and u.revision = w.revision and w.good_until > m returning u.user_id)
  select array_agg(d.user_id) into v_done from done d;
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
