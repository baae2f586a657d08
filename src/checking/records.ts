import { isKeyName, scopes } from '../access/key.ts';
import { type Month, monthName, monthOf, parseMonth, startOf } from '../housekeeping/months.ts';
import type { Moment } from '../timeline/facts.ts';
import { type Finding, type Rule, shown } from './finding.ts';

/** The marks beside the log and the history, and the months of the latter. Clocks in microseconds. */
export interface Marks {
  readonly settled: number;
  readonly keptFrom: Moment;
  /** Rows of history that lie in no month of their own. */
  readonly strays: number;
  readonly partitions: readonly { readonly name: string; readonly bounds: string }[];
  readonly now: number;
}

/** The months that the first migration makes begin with it: nothing is older but what was put there by hand. */
const firstMonth: Month = monthOf(Date.UTC(2026, 0));

/** As many months to come as a release and its holidays may take. */
const monthsWanted = 3;

export function markViolations({ settled, keptFrom, strays, partitions, now }: Marks): Finding[] {
  const clock = { clock: shown(now / 1000) };
  const found: Finding[] = [];
  if (settled > now) found.push({ rule: 'settled_ahead_of_clock', rows: { settled, ...clock } });
  if (keptFrom > now / 1000) found.push({ rule: 'kept_ahead_of_clock', rows: { kept_from: shown(keptFrom), ...clock } });
  if (strays > 0) found.push({ rule: 'rows_without_month', rows: { rows: strays } });
  const months = new Set<Month>();
  for (const { name, bounds } of partitions) {
    const month = parseMonth(name.replace(/^past_memberships_/, ''));
    if (month === undefined ? bounds === 'DEFAULT' : bounds === boundsOf(month)) months.add(month ?? NaN);
    else found.push({ rule: 'month_bounds_odd', rows: { partition: name, bounds } });
  }
  const current = monthOf(Math.floor(now / 1000));
  const from = Math.max(firstMonth, keptFrom === -Infinity ? firstMonth : monthOf(keptFrom));
  for (let month = from; month <= current; month++) {
    if (!months.has(month)) found.push({ rule: 'month_missing', rows: { month: monthName(month), kept_from: shown(keptFrom) } });
  }
  const last = current + monthsWanted;
  if (!months.has(last)) found.push({ rule: 'months_running_out', rows: { month: monthName(last) } });
  return found;
}

/** As PostgreSQL prints them in UTC. What lies in a partition lies within its bounds: the server sees to that. */
const boundsOf = (month: Month) => `FOR VALUES FROM ('${boundText(startOf(month))}') TO ('${boundText(startOf(month + 1))}')`;
const boundText = (moment: Moment) => `${new Date(moment).toISOString().slice(0, 19).replace('T', ' ')}+00`;

export interface CheckedImport {
  readonly id: string;
  readonly state: string;
  readonly received: number;
  readonly applied: number;
  readonly unchanged: number;
  readonly rejected: number;
  readonly finishedAt: Moment | null;
  /** Users who are still to be decided anew. */
  readonly pending: number;
  /** Rejected rows that are there. */
  readonly rejects: number;
  readonly hasSegment: boolean;
  /** Whether its table of rows is there. */
  readonly hasRows: boolean;
}

export function importViolations(one: CheckedImport): Finding[] {
  const { id, state, received, applied, unchanged, rejected, rejects, finishedAt, pending } = one;
  const isUnderWay = state === 'receiving' || state === 'running';
  const rest = received - applied - unchanged - rejected;
  const broken: Partial<Record<Rule, boolean>> = {
    import_counts_odd: rest < 0 || (state === 'done' && (rest !== 0 || pending > 0)),
    import_rejects_odd: rejects !== rejected,
    import_end_odd: isUnderWay !== (finishedAt === null),
    import_without_segment: !one.hasSegment,
    import_rows_missing: isUnderWay && !one.hasRows,
  };
  const rows = { import_id: id, state, received, applied, unchanged, rejected, rejects, pending };
  return (Object.keys(broken) as Rule[])
    .filter((rule) => broken[rule])
    .map((rule) => ({ rule, rows: { ...rows, finished_at: finishedAt === null ? null : shown(finishedAt) } }));
}

export interface CheckedKey {
  readonly name: string;
  readonly scope: string;
  readonly createdAt: Moment;
  readonly revokedAt: Moment;
}

export function keyViolations(keys: readonly CheckedKey[]): Finding[] {
  const isOdd = ({ name, scope, createdAt, revokedAt }: CheckedKey) =>
    !isKeyName(name) || !scopes.some((one) => one === scope) || createdAt > revokedAt;
  const isOpen = keys.some(({ scope, revokedAt }) => scope === 'admin' && revokedAt === Infinity);
  return [
    ...keys.filter(isOdd).map(({ name, scope, createdAt, revokedAt }): Finding => {
      return { rule: 'key_odd', rows: { key: name, scope, created_at: shown(createdAt), revoked_at: shown(revokedAt) } };
    }),
    ...(isOpen ? [] : [{ rule: 'no_admin_key' as const, rows: { keys: keys.length } }]),
  ];
}

/** A row of the log that does not fit: of a user, or of the definitions (a null user). */
export interface LogBreach {
  readonly xid: string;
  readonly at: Moment;
  readonly userId: string | null;
  readonly revision: number | null;
  readonly isAhead: boolean;
}

export const logViolation = ({ xid, at, userId, revision, isAhead }: LogBreach): Finding => ({
  rule: isAhead ? 'log_ahead_of_clock' : 'revision_behind_log',
  rows: { xid, at: shown(at), user_id: userId, revision },
});
