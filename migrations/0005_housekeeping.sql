-- What housekeeping needs: to find what has ended, and a mark of what history is kept. See docs/decisions/0016.

-- By end, then by user: a file of a million users may have one end, and housekeeping goes on behind where it was. Only stays
-- that have an end are in it, so others cost nothing.
create index memberships_by_end on memberships (ends_at, user_id) where ends_at < 'infinity';

-- One row. What was before is not answered any more, whether or not its rows are gone yet: it is raised and committed before
-- any row is dropped, read in one statement with the rows, and never moves back.
create table history_kept (
  one       boolean primary key default true check (one),
  kept_from timestamptz not null default '-infinity'
);
insert into history_kept default values;
