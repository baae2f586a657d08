import type { Moment } from '../timeline/facts.ts';

/** What must hold, by a name that stays: what its breach says. */
export const rules = {
  user_id_invalid: 'there is a user whose id is none',
  user_missing: 'there are stays of a user of whom there is no row',
  user_known_late: 'a user is known only since after a stay',
  revision_behind_stay: "a user's revision is older than a change that the stays show",
  revision_behind_log: 'a revision is older than a change in the log',
  revision_ahead_of_clock: "a user's revision lies in the future",

  stay_without_segment: 'a stay is in a segment that does not exist',
  stay_moment_odd: 'a moment of a stay is no whole millisecond up to the year 9999',
  stay_empty: 'a stay ends before it starts',
  stay_outside_life: 'a stay lies outside the life of its segment',
  stay_since_odd: 'a stay is older than its segment, or younger than itself',
  stay_cause_unknown: 'a stay began or ended by what is no cause',
  stay_ended_in_future: 'a stay among the past ones has not ended',
  stays_overlap: 'two stays of a pair overlap',
  stays_planned_twice: 'a pair has two planned stays',
  events_broken: 'the events of a pair do not alternate, or are not what a reader sees',
  group_shared: 'two segments of an exclusive group share a user',

  segment_moment_odd: 'a moment of a segment is no whole millisecond up to the year 9999',
  segment_life_empty: 'a segment ends before it begins, or was changed outside its life',
  segment_deletion_odd: 'a segment was deleted by nobody, or lives though somebody deleted it',
  slug_shared: 'two segments have one slug at the same time',
  group_salt_odd: 'a segment has another salt than its exclusive group',
  rollout_moment_odd: 'a moment of a rollout is no whole millisecond up to the year 9999',
  rollouts_apart: 'a rollout does not begin where the one before ends, or with its segment',
  rollout_ends: 'the last rollout of a segment ends',
  rollout_outside_ring: 'a rollout takes buckets that there are not',
  rollout_not_lowest: 'a rollout outside a group does not take the lowest buckets',
  group_ranges_overlap: 'two segments of an exclusive group take the same buckets at the same time',
  definitions_behind: 'the definitions are older than a segment',
  definitions_ahead_of_clock: 'the revision of the definitions lies in the future',

  settled_ahead_of_clock: 'the settled moment lies in the future',
  kept_ahead_of_clock: 'the mark of what history is kept lies in the future',
  log_ahead_of_clock: 'a change in the log lies in the future',
  month_missing: 'a month of which history is kept has no partition',
  month_bounds_odd: 'a partition holds another time than its name says',

  import_counts_odd: 'an import is done, and its rows are not accounted for',
  import_rejects_odd: 'the rejected rows of an import are not as many as it says',
  import_end_odd: 'an import is over without an end, or has an end and is not over',
  import_without_segment: 'an import is into a segment that does not exist',
  import_rows_missing: 'an import is under way, and its rows are gone',
  key_odd: 'a key has a name or a scope that there is not, or ended before it began',
} as const;

/** What does no harm yet, or by itself. */
export const warnings = {
  rows_without_month: 'rows of history lie in no month of their own',
  months_running_out: 'the months to come have no partition',
  rows_left: 'the rows of an import that is over, or of none, were left',
  no_admin_key: 'nobody has a living key of the scope admin',
} as const;

export type Rule = keyof typeof rules;
export type Warning = keyof typeof warnings;

/** What names the rows that break a rule, and what of them breaks it. */
export type Rows = Readonly<Record<string, string | number | null>>;

export interface Finding {
  readonly rule: Rule | Warning;
  readonly rows: Rows;
}

export const isWarning = ({ rule }: Finding): boolean => rule in warnings;

/** One line: the rule, what it says, and the rows as `name=value`, in quotes where a value is no plain word. */
export function findingLine({ rule, rows }: Finding): string {
  const values = Object.entries(rows).map(([name, value]) => `${name}=${plain(value)}`);
  return `${rule in warnings ? 'warning ' : ''}${rule}: ${{ ...rules, ...warnings }[rule]}: ${values.join(' ')}`;
}

const plain = (value: string | number | null): string => {
  const text = String(value);
  return /^[!#-~]+$/.test(text) ? text : JSON.stringify(text);
};

/** Also of what is no moment: RFC 3339 with what is finer than a millisecond behind it. */
export function shown(moment: Moment): string {
  if (Number.isNaN(moment)) return 'out of range';
  if (!Number.isFinite(moment)) return moment > 0 ? 'infinity' : '-infinity';
  const text = new Date(Math.floor(moment)).toISOString();
  const microseconds = Math.round((moment - Math.floor(moment)) * 1000);
  return microseconds === 0 ? text : text.replace('Z', `${String(microseconds).padStart(3, '0')}Z`);
}
