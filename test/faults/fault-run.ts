import { randomSource } from '../model/random-history.ts';
import { until } from '../support/service.ts';
import { type Findings, check } from './check/check.ts';
import { type Counts, runClient } from './client.ts';
import { strikeAll } from './striking.ts';
import { ask, hangUp } from './http.ts';
import { openLog, type ReadRecord } from './log.ts';
import { type Plant, plantIn, plantTree } from './plants.ts';
import { openSurroundings, type Surroundings } from './surroundings.ts';

/** One client of so many only reads. */
const readerEach = 8;

export interface RunOptions {
  readonly seed: number;
  /** At least so many of each; the later of the two ends the run. */
  readonly operations: number;
  readonly faults: number;
  readonly clients?: number;
  /** A bug to be planted, to see it found. */
  readonly plant?: Plant;
  readonly log?: (line: string) => void;
  /** Ends the run early, with what it has started. */
  readonly signal?: AbortSignal;
}

export interface RunReport extends Findings {
  readonly seed: number;
  readonly operations: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly counts: Counts;
  readonly askedAgain: number;
  readonly seconds: { readonly run: number; readonly check: number };
  /** Of this process, in MiB: in the middle of the run and at its end. */
  readonly memory: { readonly middle: number; readonly end: number };
}

/** Runs clients against two services while everything around them is hurt, then checks all that they were told. */
export async function runFaults({
  seed,
  operations,
  faults,
  clients = 96,
  plant,
  log = () => {},
  signal,
}: RunOptions): Promise<RunReport> {
  await using stack = new AsyncDisposableStack();
  const root = plant?.kind === 'source' ? await plantTree(stack, plant) : new URL('../../', import.meta.url);
  const around = await openSurroundings(stack, root);
  stack.defer(async () => hangUp());
  const keys = await around.prepare(clients);
  if (plant?.kind === 'function') await around.direct((database) => plantIn(database, plant));
  const records = await openLog(around.folder);
  const counts: Counts = {
    operations: new Map(),
    outcomes: { acknowledged: 0, refused: 0, unknown: 0 },
    codes: new Map(),
    unexpected: [],
    done: 0,
  };

  const startedAt = Date.now();
  const begunAt = performance.now();
  let isOver = false;
  const running = keys.map(({ actor, key }, i) =>
    runClient({
      actor,
      key,
      seed: seed * 1_000 + i,
      isReader: i % readerEach === 0,
      services: around.services,
      log: records,
      counts,
      goesOn: () => !isOver,
    }),
  );
  let middle = 0;
  const due = async (n: number) => {
    const isThere = () => {
      signal?.throwIfAborted();
      const surprises = around.services.flatMap(({ process }) => process.surprises);
      if (surprises.length > 0) throw new Error(surprises.join('; '));
      return counts.done >= (operations * (n + 0.5)) / faults;
    };
    await until(isThere, 'the clients to come so far', 600_000);
    if (n >= faults / 2 && middle === 0) middle = mebibytes();
    log(`${Math.round((performance.now() - begunAt) / 1_000)} s, ${counts.done} operations`);
  };
  let struck: ReadonlyMap<string, number>;
  try {
    struck = await strikeAll(around, randomSource(seed), faults, due, log);
    await until(() => signal?.aborted === true || counts.done >= operations, 'the clients to end', 600_000);
    signal?.throwIfAborted();
  } catch (error) {
    log(`the run failed: ${String(error)}`);
    throw error;
  } finally {
    isOver = true;
    await Promise.all(running);
  }
  await around.healthy();
  await importsOver(around);
  await records.close();
  const run = (performance.now() - begunAt) / 1_000;
  log(`${Math.round(run)} s, ${counts.done} operations; now the check`);

  const end = mebibytes();
  const checkedAt = performance.now();
  const findings = await around.direct((database) => check(database, records, startedAt));
  const askedAgain = await askAgain(around, keys[0]!.key, records, findings);
  for (const surprise of [...counts.unexpected, ...around.services.flatMap(({ process }) => process.surprises)]) {
    findings.violations.set('answer', (findings.violations.get('answer') ?? 0) + 1);
    findings.told.push(`answer: ${surprise}`);
  }
  const seconds = { run, check: (performance.now() - checkedAt) / 1_000 };
  return { seed, operations: counts.done, faults: struck, counts, askedAgain, seconds, memory: { middle, end }, ...findings };
}

const mebibytes = () => Math.round(process.memoryUsage().rss / 2 ** 20);

/** What was accepted is carried out, by whoever is there. */
const importsOver = (around: Surroundings) =>
  around.direct(({ pool }) =>
    until(
      async () => {
        const { rows } = await pool.query<{ n: number }>(
          `select count(*) as n from imports where state in ('receiving', 'running')`,
        );
        return rows[0]!.n === 0;
      },
      'the imports to end',
      90_000,
    ),
  );

/** Of each part of the users some answers about the past are asked for once more, of the service itself. */
async function askAgain(
  { services }: Surroundings,
  key: string,
  records: Awaited<ReturnType<typeof openLog>>,
  findings: Findings,
) {
  let asked = 0;
  for await (const users of records.users()) {
    const past = [...users.values()].flat().filter((one): one is ReadRecord => one.kind === 'read' && one.how === 'at');
    for (const { userId, at, answer } of past.slice(0, 50)) {
      const path = `/v1/users/${userId}/segments?at=${new Date(at!).toISOString()}`;
      const { outcome, body } = await ask(services[asked++ % services.length]!.port, key, { method: 'GET', path });
      if (outcome === 'acknowledged' && JSON.stringify(body.segments ?? []) === JSON.stringify(answer.segments)) continue;
      findings.violations.set('asked again', (findings.violations.get('asked again') ?? 0) + 1);
      findings.told.push(`asked again: ${path}: answered ${answer.segments.join()}, now ${JSON.stringify(body)}`);
    }
  }
  return asked;
}
