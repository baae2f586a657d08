import { spawn } from 'node:child_process';
import { glob, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { openDatabase } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { randomSource } from '../model/random-history.ts';
import { urlOf } from '../support/database.ts';
import { copyProject } from '../support/project-copy.ts';
import { startTestServer } from '../support/test-server.ts';
import { equivalentTo } from './equivalents.ts';
import { type Mutant, mutantText, mutated } from './mutant.ts';
import { sqlFunctions, sqlMutants } from './sql-mutants.ts';
import { type Stage, type Target, targets } from './targets.ts';
import { typescriptMutants } from './typescript-mutants.ts';

const help = `npm run test:mutants -- [--target NAME] [--file PART] [--lines 10-20] [--sample N] [--seed 1]

Changes one thing of the source at a time, in a copy, and runs the tests that should notice. Prints who survives, and the
score of each file. --file: files whose path has it. --lines: mutants of those lines. --sample: so many of each file, by chance.
Targets: ${targets.map(({ name }) => name).join(', ')}.
`;

/** So many times as long as of sound source a group of tests may take; a mutant that loops is noticed by it. */
const patience = 4;
const leastPatienceMs = 20_000;
const root = fileURLToPath(new URL('../../', import.meta.url));

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    file: { type: 'string' },
    lines: { type: 'string' },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
});
const print = (line: string) => process.stdout.write(`${line}\n`);

if (values.help) print(help);
else await runAll();

async function runAll(): Promise<void> {
  const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
  if (chosen.length === 0) throw new Error(`there is no target ${values.target}`);
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-mutants-'));
  const server = await startTestServer();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void server.stop().finally(() => process.exit(1)));
  const bench = { folder, server: server.connection };
  try {
    await copyProject(folder, ['src', 'test', 'migrations', 'docs', 'package.json']);
    for (const target of chosen) {
      const files = target.files.filter((file) => file.includes(values.file ?? ''));
      const stages = files.length > 0 ? await timed(bench, target) : [];
      for (const file of files) await runFile(bench, target, stages, file);
    }
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A copy of the project, and the PostgreSQL of its tests. */
interface Bench {
  readonly folder: string;
  readonly server: pg.ClientConfig;
}

type TimedStage = Stage & { readonly limitMs: number };

/** How long the tests take of the source as it is. */
async function timed(bench: Bench, { name, stages }: Target): Promise<TimedStage[]> {
  const all: TimedStage[] = [];
  for (const stage of stages) {
    const from = performance.now();
    if (!(await passes(bench, { ...stage, limitMs: 600_000 }))) throw new Error(`${name}: its tests fail as it is`);
    all.push({ ...stage, limitMs: leastPatienceMs + patience * (performance.now() - from) });
  }
  return all;
}

async function runFile(bench: Bench, target: Target, stages: readonly TimedStage[], file: string): Promise<void> {
  const text = await readFile(join(root, file), 'utf8');
  const { functions = [] } = target;
  const all = functions.length > 0 ? await taken(bench, text, functions) : typescriptMutants(file, text);
  const [first = 1, last = first] = values.lines?.split('-').map(Number) ?? [1, Infinity];
  const isWithin = (mutant: Mutant) => {
    const line = text.slice(0, mutant.start).split('\n').length;
    return first <= line && line <= last;
  };
  const looked = all.filter((mutant) => isWithin(mutant) && !equivalentTo(file, text, mutant));
  const sample = sampled(looked);
  let survivors = 0;
  for (const mutant of sample) {
    await writeFile(join(bench.folder, file), mutated(text, mutant));
    if (await isNoticed(bench, stages)) continue;
    survivors++;
    print(`survives  ${file}:${mutantText(text, mutant)}`);
  }
  await writeFile(join(bench.folder, file), text);
  const score = Math.round((100 * (sample.length - survivors)) / Math.max(sample.length, 1));
  print(`${file}: ${sample.length - survivors} of ${sample.length} noticed (${score} %); ${all.length - looked.length} left out`);
}

/** The mutants of SQL that PostgreSQL takes: what it refuses no test would have to notice. */
async function taken({ server }: Bench, text: string, names: readonly string[]): Promise<Mutant[]> {
  const admin = new pg.Client(server);
  await admin.connect();
  const database = openDatabase({ connection: server, poolSize: 1 });
  await migrate(database.pool);
  await database.close();
  const sound: Mutant[] = [];
  for (const mutant of sqlMutants(text, names)) {
    const statements = sqlFunctions(mutated(text, mutant), names).join(';');
    await admin.query(`begin; ${statements}`).then(
      () => sound.push(mutant),
      () => {},
    );
    await admin.query('rollback');
  }
  await admin.end();
  if (sound.length === 0) throw new Error(`no mutant of ${names.join(', ')} is taken by PostgreSQL`);
  return sound;
}

function sampled(mutants: Mutant[]): Mutant[] {
  if (values.sample === undefined) return mutants;
  const random = randomSource(Number(values.seed));
  const left = [...mutants];
  const sample: Mutant[] = [];
  while (left.length > 0 && sample.length < Number(values.sample)) sample.push(...left.splice(random.below(left.length), 1));
  return sample.sort((a, b) => a.start - b.start);
}

async function isNoticed(bench: Bench, stages: readonly TimedStage[]): Promise<boolean> {
  for (const stage of stages) if (!(await passes(bench, stage))) return true;
  return false;
}

/** Whether all tests of a stage pass within its limit. The first that fails is enough to know. */
async function passes({ folder, server }: Bench, { tests, env, isOnDatabase = false, limitMs }: TimedStage): Promise<boolean> {
  const files = await Array.fromAsync(glob([...tests], { cwd: folder }));
  if (files.length === 0) throw new Error(`there is no test ${tests.join(' ')}`);
  const options = isOnDatabase ? ['--test-global-setup=./test/support/global-setup.ts'] : ['--test-isolation=none'];
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', ...options, ...files], {
    cwd: folder,
    env: {
      NODE_COMPILE_CACHE: join(folder, 'compiled'),
      ...process.env,
      ...(isOnDatabase && { DATABASE_URL: urlOf(server) }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const stopAll = () => void (hasEnded() || process.kill(-child.pid!, 'SIGKILL'));
  const timer = setTimeout(stopAll, limitMs);
  process.once('exit', stopAll);
  child.stdout.setEncoding('utf8');
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (/^ *not ok/.test(line)) stopAll();
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
  process.removeListener('exit', stopAll);
  if (isOnDatabase) await dropDatabases(server);
  return code === 0;
}

/** What tests that were stopped have left. */
async function dropDatabases(server: pg.ClientConfig): Promise<void> {
  const admin = new pg.Client(server);
  await admin.connect();
  const { rows } = await admin.query<{ datname: string }>(`select datname from pg_database where datname like 'test\\_%'`);
  for (const { datname } of rows) await admin.query(`drop database ${datname} with (force)`).catch(() => {}); // or its test does
  await admin.end();
}
