import { type Figures, one } from './metrics.ts';

/** What is kept of one reading of the figures. */
export interface Sample {
  /** In milliseconds. */
  readonly at: number;
  readonly ageSeconds: number | undefined;
  readonly users: number | undefined;
  readonly bytes: number | undefined;
  readonly residentBytes: number | undefined;
  readonly cpuSeconds: number | undefined;
  readonly underWay: number | undefined;
  readonly streams: number | undefined;
  /** Answered since the start of the process, by the first digit of the status. */
  readonly answered: Readonly<Record<string, number>>;
  /** How many took at most so many seconds. */
  readonly durations: ReadonlyMap<number, number>;
}

const prefix = 'segmentd_http_request_duration_seconds';

/** What this page asks all the time says nothing of those who use the service. */
const isOwn = ({ route = '' }: Readonly<Record<string, string>>): boolean => /^\/(metrics|readyz|healthz|ui)/.test(route);

export function sampleOf(figures: Figures, at: number): Sample {
  const answered: Record<string, number> = {};
  for (const { labels, value } of figures.get(`${prefix}_count`) ?? []) {
    if (isOwn(labels)) continue;
    const kind = labels.status?.[0] ?? '?';
    answered[kind] = (answered[kind] ?? 0) + value;
  }
  const durations = new Map<number, number>();
  for (const { labels, value } of figures.get(`${prefix}_bucket`) ?? []) {
    if (isOwn(labels)) continue;
    const limit = labels.le === '+Inf' ? Infinity : Number(labels.le);
    durations.set(limit, (durations.get(limit) ?? 0) + value);
  }
  return {
    at,
    ageSeconds: one(figures, 'segmentd_snapshot_age_seconds'),
    users: one(figures, 'segmentd_snapshot_users'),
    bytes: one(figures, 'segmentd_snapshot_bytes'),
    residentBytes: one(figures, 'process_resident_memory_bytes'),
    cpuSeconds: one(figures, 'process_cpu_seconds_total'),
    underWay: one(figures, 'segmentd_requests_under_way'),
    streams: one(figures, 'segmentd_streams'),
    answered,
    durations,
  };
}

/** How much a count grew a second between two readings; null where it fell: another process answered, or a new one. */
export function rate(before: Sample, after: Sample, countOf: (sample: Sample) => number | undefined): number | null {
  const [from, to] = [countOf(before), countOf(after)];
  if (from === undefined || to === undefined || to < from || after.at <= before.at) return null;
  return ((to - from) * 1000) / (after.at - before.at);
}

/**
 * The time within which that share of the requests between two readings was answered, in seconds, as Prometheus's
 * `histogram_quantile` has it: evenly spread within a bucket. Null where there was none.
 */
export function quantile(before: Sample, after: Sample, share: number): number | null {
  const limits = [...after.durations.keys()].toSorted((a, b) => a - b);
  const counts = limits.map((limit) => (after.durations.get(limit) ?? 0) - (before.durations.get(limit) ?? 0));
  const total = counts.at(-1) ?? 0;
  if (total <= 0 || counts.some((count) => count < 0)) return null;
  const rank = share * total;
  const i = counts.findIndex((count) => count >= rank);
  const [low, below] = i === 0 ? [0, 0] : [limits[i - 1]!, counts[i - 1]!];
  if (limits[i] === Infinity) return low;
  return low + ((limits[i]! - low) * (rank - below)) / (counts[i]! - below);
}
