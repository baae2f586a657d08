-- A plan that goes on without a gap after what begins with the same change says since when its user is in: since that change.
-- Its moment is known here alone, so `-infinity` stands for it.

-- The mark of 0008 was finer than a millisecond, and no reader of the stream takes it so. Up: what may be missing is missing.
update changes_pruned set up_to = date_trunc('milliseconds', up_to + interval '999 microseconds');

-- As before (0008), but for `since`.
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
  v_users   int := cardinality(p_users);
  v_ends    int := cardinality(e_user);
  v_begins  int := cardinality(b_user);
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
      update users u set revision = apply_changes.revision
        from unnest(p_users, spread(p_revisions, v_users), spread(p_good_until, v_users)) w (user_id, revision, good_until)
       where u.user_id <> all (busy) and u.user_id = w.user_id and u.revision = w.revision and w.good_until > m returning u.user_id)
    select array_agg(d.user_id) into v_done from done d;
  end if;
  if v_users > 1 and v_known is null and cardinality(p_good_until) = 1 then   -- the unique key decides who makes a user
    with made as (
      insert into users select w.user_id, m, apply_changes.revision from unnest(p_users) w (user_id)
       where p_good_until[1] > m and w.user_id <> all (busy) order by w.user_id collate "C"
      on conflict (user_id) do nothing returning user_id)
    select array_agg(d.user_id) into v_done from made d;
  elsif array_position(p_revisions, null) is not null then
    with made as (
      insert into users select w.user_id, m, apply_changes.revision
        from unnest(p_users, spread(p_revisions, v_users), spread(p_good_until, v_users)) w (user_id, revision, good_until)
       where w.revision is null and w.good_until > m and w.user_id <> all (busy) order by w.user_id collate "C"
      on conflict (user_id) do nothing returning user_id)
    select v_done || array_agg(d.user_id) into v_done from made d;
  end if;
  if cardinality(v_done) is distinct from cardinality(p_users) then
    v_undone := array (select u from unnest(p_users) u except select u from unnest(v_done) u);
  end if;
  stale := array (select u from unnest(v_undone) u where u <> all (busy));
  if v_done is null then outcome := 'stale'; return; end if;

  if v_ends > 0 then
    with ended as (
      delete from memberships c
       using unnest(e_user, spread(e_segment, v_ends), spread(e_start, v_ends), spread(e_end, v_ends), spread(e_cause, v_ends), spread(e_by, v_ends))
             e (user_id, segment_id, starts_at, ends_at, cause, ended_by)
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
  if v_begins > 1 and cardinality(b_segment) = 1 and cardinality(b_excluded) = 1 and cardinality(b_start) = 1 and cardinality(b_end) = 1
     and cardinality(b_ttl) = 1 and cardinality(b_since) = 1 and cardinality(b_cause) = 1 and cardinality(b_by) = 1 then
    insert into memberships
      select b.user_id, b_segment[1], coalesce(b_start[1], m), coalesce(b_end[1], coalesce(b_start[1], m) + b_ttl[1], 'infinity'),
             case when b_since[1] = '-infinity' then m else coalesce(b_since[1], b_start[1], m) end, b_excluded[1], b_by[1], b_cause[1]
        from unnest(b_user) b (user_id)
       where b.user_id <> all (v_undone);
  elsif v_begins > 0 then
    insert into memberships
      select b.user_id, b.segment_id, coalesce(b.starts_at, m), coalesce(b.ends_at, coalesce(b.starts_at, m) + b.ttl, 'infinity'),
             case when b.since = '-infinity' then m else coalesce(b.since, b.starts_at, m) end, b.excluded, b.begun_by, b.cause
        from unnest(b_user, spread(b_segment, v_begins), spread(b_excluded, v_begins), spread(b_start, v_begins), spread(b_end, v_begins),
                    spread(b_ttl, v_begins), spread(b_since, v_begins), spread(b_cause, v_begins), spread(b_by, v_begins))
             b (user_id, segment_id, excluded, starts_at, ends_at, ttl, since, cause, begun_by)
       where b.user_id <> all (v_undone);
  end if;
  if cardinality(array_remove(b_start, null)) > 0 then
    insert into planned_starts select b.starts_at, b.user_id from unnest(b_user, spread(b_start, v_begins)) b (user_id, starts_at)
     where b.starts_at is not null and b.user_id <> all (v_undone) on conflict do nothing;
  end if;
  insert into changes values (pg_current_xact_id(), m, v_done);
  outcome := 'applied';
end $$;
