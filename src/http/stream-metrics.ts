import { Counter, Gauge, type Registry } from 'prom-client';
import type { StreamFigures } from './event-stream.ts';

/** Figures of the streams of changes and of OpenFeature, read when they are asked for. */
export function measureStreams(registry: Registry, figures: () => StreamFigures, behindMs: () => number): void {
  const gauge = (name: string, help: string, valueOf: () => number) => {
    const made: Gauge = new Gauge({ name, help, registers: [], collect: () => made.set(valueOf()) });
    registry.registerMetric(made);
  };
  const counter = (name: string, help: string, valueOf: () => number) => {
    let told = 0;
    const made: Counter = new Counter({
      name,
      help,
      registers: [],
      collect() {
        made.inc(valueOf() - told);
        told = valueOf();
      },
    });
    registry.registerMetric(made);
  };
  gauge('segmentd_streams', 'Readers of streams that are connected.', () => figures().open);
  gauge(
    'segmentd_streams_behind_seconds',
    'How far what was told lies behind the clock of the database; 0 without a reader.',
    () => behindMs() / 1000,
  );
  counter('segmentd_streams_bytes_total', 'Bytes that readers have taken.', () => figures().bytes);
  counter('segmentd_streams_cut_total', 'Readers that were cut because they took nothing.', () => figures().cut);
}
