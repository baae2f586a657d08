import { userIdPattern } from '../http/user-id.ts';
import type { Facts, Moment, Stay } from '../timeline/facts.ts';
import { momentOf } from '../timeline/revision.ts';
import { type Finding, type Rows, type Rule, shown } from './finding.ts';
import { violationsOf } from './stays.ts';

/** A user as the database has it. */
export interface CheckedUser {
  /** The row of `users`; null where stays have none. */
  readonly row: { readonly knownSince: Moment; readonly revision: number } | null;
  readonly facts: Facts;
}

const userId = new RegExp(userIdPattern);

/** What is wrong with a user: the row, and the stays beside it. `now`: the database's clock after the snapshot, in microseconds. */
export function userViolations({ row, facts }: CheckedUser, now: number): Finding[] {
  const found: Finding[] = userId.test(facts.userId) ? [] : [about('user_id_invalid', facts)];
  if (row === null) found.push(about('user_missing', facts, { stays: facts.stays.length }));
  else found.push(...rowViolations(row, facts, now));
  const early = facts.stays.find((stay) => stay.endedCause !== null && stay.endsAt > now / 1000);
  if (early) found.push(about('stay_ended_in_future', facts, { ...named(early), clock: shown(now / 1000) }));
  return [...found, ...violationsOf(facts)];
}

function rowViolations({ knownSince, revision }: NonNullable<CheckedUser['row']>, facts: Facts, now: number): Finding[] {
  const found: Finding[] = [];
  const row = { known_since: shown(knownSince), revision };
  const first = facts.stays.find(({ startsAt, since }) => startsAt < knownSince || since < knownSince);
  const newest = facts.stays.find((stay) => changedSince(stay) > momentOf(revision));
  if (first) found.push(about('user_known_late', facts, { ...row, ...named(first) }));
  if (newest) found.push(about('revision_behind_stay', facts, { ...row, ...named(newest) }));
  if (momentOf(revision) < knownSince) found.push(about('user_known_late', facts, row));
  if (revision > now) found.push(about('revision_ahead_of_clock', facts, { ...row, clock: shown(now / 1000) }));
  return found;
}

/** The earliest moment of the change that made the row what it is. A request may have planned what begins later. */
function changedSince({ startsAt, endsAt, endedCause, excluded, begunCause }: Stay): Moment {
  if (endedCause !== null) return endsAt;
  return excluded || begunCause === 'import' ? startsAt : -Infinity;
}

const about = (rule: Rule, facts: Facts, rows: Rows = {}): Finding => ({ rule, rows: { user_id: facts.userId, ...rows } });

const named = ({ segmentId, startsAt, endsAt, since }: Stay): Rows => ({
  segment_id: segmentId,
  starts_at: shown(startsAt),
  ends_at: shown(endsAt),
  since: shown(since),
});
