import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { changes } from './changes.ts';
import { client } from './client.ts';
import { exactReads } from './exact-reads.ts';
import { files, importMemory } from './files.ts';
import { following } from './following.ts';
import { lookup } from './lookup.ts';
import { ofrep } from './ofrep.ts';
import { reads } from './reads.ts';
import { report } from './report.ts';
import { snapshot } from './snapshot.ts';
import type { Benchmark, Figure } from './support/benchmark.ts';
import { openServer } from './support/postgres.ts';
import { BenchError, requireTool, unwindWhenInterrupted } from './support/processes.ts';
import { keepResults, tableOf } from './support/results.ts';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  reads,
  'exact-reads': exactReads,
  changes,
  lookup,
  snapshot,
  files,
  'import-memory': importMemory,
  report,
  following,
  ofrep,
  client,
};

const help = `npm run bench -- [NAME...] [--rounds N] [--seconds N] [--users N]

  NAME       ${Object.keys(benchmarks).join(', ')}; all when none is given
  --rounds   how often each contender runs; default 5
  --seconds  how long one round takes; default 5
  --users    how many users there are; default: what docs/performance.md says

The PostgreSQL is that of BENCH_DATABASE_URL, else an embedded one in a temporary folder (TMPDIR). See docs/performance.md.
`;

const options = {
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '5' },
  users: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

async function run(): Promise<void> {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) return void process.stdout.write(help);
  const rounds = wholeNumber('rounds', values.rounds);
  const seconds = wholeNumber('seconds', values.seconds);
  const users = values.users === undefined ? {} : { users: wholeNumber('users', values.users) };
  const chosen = chooseFrom(positionals);
  for (const [, { tools }] of chosen) for (const tool of tools) requireTool(tool);

  unwindWhenInterrupted();
  await using server = await openServer();
  const figures: Figure[] = [];
  for (const [name, benchmark] of chosen) {
    const say = (line: string) => void process.stderr.write(`${name}: ${line}\n`);
    const [startedAt, loadAverage] = [new Date(), loadavg()[0]!];
    if (loadAverage > 0.5) say(`the machine is busy (load average ${loadAverage.toFixed(1)}): the figures will tell little`);
    const outcome = await benchmark.run({ server, rounds, seconds, ...users, say });
    const file = keepResults({ name, startedAt, loadAverage, rounds, seconds, postgres: server.settings }, outcome);
    say(`kept in bench/results/${file}`);
    figures.push(...outcome.figures);
  }
  process.stdout.write(`${tableOf(figures)}\n`);
}

function chooseFrom(names: readonly string[]): [string, Benchmark][] {
  const unknown = names.find((name) => !Object.hasOwn(benchmarks, name));
  if (unknown !== undefined) throw new BenchError(`There is no benchmark ${unknown}: ${Object.keys(benchmarks).join(', ')}.`);
  return Object.entries(benchmarks).filter(([name]) => names.length === 0 || names.includes(name));
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new BenchError(`--${name} must be a whole number from 1; got ${text}.`);
  return number;
}

try {
  await run();
} catch (error) {
  const cause = error instanceof Error && error.name === 'AbortError' ? error.cause : error;
  process.stderr.write(`bench: ${cause instanceof BenchError ? cause.message : String((cause as Error)?.stack ?? cause)}\n`);
  process.exitCode = 1;
}
