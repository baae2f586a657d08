-- Percentages that begin later, and exclusive groups. What a segment takes from a change on is decided in TypeScript
-- (src/rollout/taking.ts); here its rows are replaced. See docs/decisions/0014.

drop function change_segment;
drop function create_segment;
drop function delete_segment;
drop function begin_definitions_change;

-- Begins a change of segments or rollouts that was decided on definitions of `p_version`, for moments from p_decided
-- (microseconds) until p_good_until: alone behind the gate, at a moment after every stay and before every later one. Null when
-- other definitions stand by now, or the time has passed: decide again.
-- Writers queue behind a waiting request, so it gives up early (55P03); the caller tries again.
create function begin_definitions_change(p_version bigint, p_decided bigint, p_good_until timestamptz) returns bigint language plpgsql volatile as $$
declare
  v_revision bigint;
begin
  perform set_config('lock_timeout', '100ms', true);
  lock table gate in exclusive mode;               -- waits for the writers in flight, nothing else
  if (select f.version from definitions f) <> p_version then return null; end if;
  v_revision := revision_after(greatest((select f.revision from definitions f), p_decided - 1000, (extract(epoch from clock_timestamp()) * 1000000)::bigint));
  if moment_of(v_revision) >= p_good_until then return null; end if;
  update definitions set version = version + 1, revision = v_revision;
  insert into changes values (pg_current_xact_id(), moment_of(v_revision), '{}');
  return v_revision;
end $$;

create function create_segment(p_version bigint, p_decided bigint, p_good_until timestamptz,
  p_slug text, p_description text, p_salt text, p_group text, p_ranges int4multirange, p_by text)
returns bigint language plpgsql volatile as $$
declare
  v_revision bigint := begin_definitions_change(p_version, p_decided, p_good_until);
  v_id       integer;
begin
  if v_revision is null then return null; end if;
  insert into segments (slug, description, salt, exclusive_group, created_at, created_by, updated_at)
    values (p_slug, p_description, p_salt, p_group, moment_of(v_revision), p_by, moment_of(v_revision)) returning segment_id into v_id;
  insert into rollouts (segment_id, from_at, ranges, changed_by) values (v_id, moment_of(v_revision), p_ranges, p_by);
  return v_revision;
end $$;

-- A null description stays. With p_replaces the rows from p_after on (null: from the moment of the change on) give way to
-- those given, by their start; a null start is the moment of the change. What has begun by then is never touched but for its
-- end: each row ends where the next begins.
create function change_segment(p_version bigint, p_decided bigint, p_good_until timestamptz,
  p_segment integer, p_description text, p_replaces boolean, p_after timestamptz, p_from timestamptz[], p_ranges int4multirange[], p_by text[])
returns bigint language plpgsql volatile as $$
declare
  v_revision bigint := begin_definitions_change(p_version, p_decided, p_good_until);
  m          timestamptz := moment_of(v_revision);
begin
  if v_revision is null then return null; end if;
  update segments set description = coalesce(p_description, description), updated_at = m where segment_id = p_segment;
  if p_replaces then
    delete from rollouts where segment_id = p_segment and from_at >= coalesce(p_after, m);
    update rollouts set to_at = coalesce((select min(coalesce(f, m)) from unnest(p_from) f), 'infinity')
      where segment_id = p_segment and from_at = (select max(from_at) from rollouts where segment_id = p_segment);
    insert into rollouts (segment_id, from_at, to_at, ranges, changed_by)
      select p_segment, coalesce(n.from_at, m), coalesce(lead(n.from_at) over (order by n.position), 'infinity'), n.ranges, n.changed_by
        from unnest(p_from, p_ranges, p_by) with ordinality n (from_at, ranges, changed_by, position);
  end if;
  return v_revision;
end $$;

-- One small write, however many members it has: every stay in the segment ends with it.
create function delete_segment(p_version bigint, p_segment integer, p_by text) returns bigint language plpgsql volatile as $$
declare
  v_revision bigint := begin_definitions_change(p_version, 0, 'infinity');
begin
  if v_revision is null then return null; end if;
  update segments set deleted_at = moment_of(v_revision), deleted_by = p_by, updated_at = moment_of(v_revision) where segment_id = p_segment;
  return v_revision;
end $$;
