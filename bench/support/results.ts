import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Figure, Outcome } from './benchmark.ts';
import { pinning } from './processes.ts';
import { median, type Sample } from './statistics.ts';

const folder = join(import.meta.dirname, '../results');

export interface Run {
  readonly name: string;
  readonly startedAt: Date;
  /** Of the machine before the run: above some tenths somebody else used it, and the figures tell little. */
  readonly loadAverage: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly postgres: Readonly<Record<string, string>>;
}

/** Writes what a benchmark gave, as it was, into `bench/results/`; answers the file's name. */
export function keepResults({ name, startedAt, loadAverage, rounds, seconds, postgres }: Run, outcome: Outcome): string {
  const date = startedAt.toISOString();
  const file = `${date.slice(0, 19).replaceAll(/[:-]/g, '')}-${name}.json`;
  const kept = {
    name,
    date,
    commit: commit(),
    machine: machine(),
    loadAverageBefore: loadAverage,
    postgres,
    pinning,
    rounds: { number: rounds, seconds, order: 'interleaved, after one of each to warm up' },
    setting: outcome.setting,
    figures: outcome.figures,
    medians: Object.fromEntries(Object.entries(outcome.rounds).map(([contender, samples]) => [contender, medians(samples)])),
    samples: outcome.rounds,
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), `${JSON.stringify(kept, null, 2)}\n`);
  return file;
}

const medians = (samples: readonly Sample[]) =>
  Object.fromEntries(Object.keys(samples[0] ?? {}).map((name) => [name, median(samples.map((sample) => sample[name]!))]));

/** No names and no paths: the file is for others to read. */
const machine = () => ({
  cpu: cpus()[0]?.model.trim(),
  cores: cpus().length,
  memoryGigabytes: Math.round(totalmem() / 2 ** 30),
  kernel: `${process.platform} ${release()}`,
  node: process.version,
});

/** With `+` where what is measured differs from it. */
function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  const isChanged = git('status', '--porcelain', '--', ':/src', ':/migrations', ':/package-lock.json') !== '';
  return git('rev-parse', '--short=10', 'HEAD') + (isChanged ? '+' : '');
}

export function tableOf(figures: readonly Figure[]): string {
  const lines = figures.map(({ what, value, unit, aim, of }) => {
    const told = aim ? ('atLeast' in aim ? `at least ${number(aim.atLeast)}` : `at most ${number(aim.atMost)}`) : '';
    const isReached = aim && ('atLeast' in aim ? value >= aim.atLeast : value <= aim.atMost);
    const verdict = aim ? (isReached ? 'reached' : 'missed') : '';
    return `| ${what} | ${number(value)}${unit ? ` ${unit}` : ''} | ${of ?? ''} | ${told} | ${verdict} |`;
  });
  return ['| figure | measured | of | aim | |', '| --- | --- | --- | --- | --- |', ...lines].join('\n');
}

/** Three digits that matter, and thousands apart. */
export function number(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}
