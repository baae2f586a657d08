import type { PostgresServer } from './postgres.ts';
import type { Tool } from './processes.ts';
import type { Sample } from './statistics.ts';

export interface Conditions {
  readonly server: PostgresServer;
  readonly rounds: number;
  /** Of one contender's round, and of its warming up. */
  readonly seconds: number;
  /** As asked for; a benchmark has a number of its own. */
  readonly users?: number;
  /** Tells the person at the terminal what goes on. */
  readonly say: (line: string) => void;
}

/** One line of the report. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit?: string;
  readonly aim?: { readonly atLeast: number } | { readonly atMost: number };
  /** What it was made of, in words. */
  readonly of?: string;
}

export interface Outcome {
  /** What was measured, so that it can be repeated: numbers of users, of connections. */
  readonly setting: Readonly<Record<string, string | number>>;
  /** Every figure of every round, by contender. */
  readonly rounds: Readonly<Record<string, readonly Sample[]>>;
  readonly figures: readonly Figure[];
}

export interface Benchmark {
  readonly tools: readonly Tool[];
  run(conditions: Conditions): Promise<Outcome>;
}
