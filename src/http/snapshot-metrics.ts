import { Gauge, type Registry } from 'prom-client';

/** Figures of the memberships in memory, read when they are asked for. */
export interface SnapshotFigures {
  /** `Infinity` while nothing is loaded. */
  readonly ageMs: number;
  readonly users: number;
  readonly bytes: number;
}

const gauges: [name: string, help: string, valueOf: (figures: SnapshotFigures) => number][] = [
  ['age_seconds', 'How old answers from memory are at most; infinite while nothing is loaded.', ({ ageMs }) => ageMs / 1000],
  ['users', 'Users with a membership, in memory.', ({ users }) => users],
  ['bytes', 'Bytes that their memberships take in memory.', ({ bytes }) => bytes],
];

export function measureSnapshot(registry: Registry, figures: () => SnapshotFigures): void {
  for (const [name, help, valueOf] of gauges) {
    const gauge: Gauge = new Gauge({
      name: `segmentd_snapshot_${name}`,
      help,
      registers: [],
      collect: () => gauge.set(valueOf(figures())),
    });
    registry.registerMetric(gauge);
  }
}
