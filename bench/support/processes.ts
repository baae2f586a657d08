import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What stops a benchmark in a way that its user can mend: told in one line. */
export class BenchError extends Error {}

const interruption = new AbortController();

/** Ends every child at the first SIGINT or SIGTERM, so that the run unwinds and drops what it made; the second one kills. */
export function unwindWhenInterrupted() {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interruption.abort(new BenchError(`interrupted by ${signal}`)));
  }
}

type Place = 'server' | 'load';

/** The server under test and whatever makes the load never share a core; PostgreSQL runs wherever the kernel puts it. */
const coreOf: Record<Place, number> = { server: 0, load: 1 };
const taskset = availableParallelism() > 1 ? findTool('taskset') : undefined;
export const pinning = taskset
  ? `taskset: servers under test on core ${coreOf.server}, load generators on core ${coreOf.load}, PostgreSQL not pinned`
  : 'not pinned';

function pinned(place: Place, command: string, args: readonly string[]): [string, string[]] {
  return taskset ? [taskset, ['-c', String(coreOf[place]), command, ...args]] : [command, [...args]];
}

function findTool(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  // Debian keeps what belongs to one version of PostgreSQL out of the path.
  const ofPostgres = globSync('/usr/lib/postgresql/*/bin').toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return [...folders, ...ofPostgres].map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const packageOf = { wrk: 'wrk', pgbench: 'postgresql-contrib', psql: 'postgresql-client' } as const;
export type Tool = keyof typeof packageOf;

/** Throws `BenchError` that says how to install what is missing. */
export function requireTool(name: Tool): string {
  const found = findTool(name);
  if (!found) throw new BenchError(`${name} is not here: apt-get install ${packageOf[name]}`);
  return found;
}

interface Limits {
  readonly env?: NodeJS.ProcessEnv;
  readonly limitSeconds: number;
}

/** Runs a load generator to its end; its standard output. Cut, and failed, when it takes longer than it may. */
export const runLoad = (tool: Tool, args: readonly string[], limits: Limits): Promise<string> =>
  runToEnd(tool, pinned('load', requireTool(tool), args), limits);

/** The same for a script of ours that makes the load. */
export const runLoadScript = (script: string, limits: Limits): Promise<string> =>
  runToEnd(script, pinned('load', process.execPath, [pathOf(script)]), limits);

/** The same for a script of ours that is itself what is measured, where the server under test would run. */
export const runInProcess = (
  script: string,
  args: readonly string[],
  { exposeGc = false, ...limits }: Limits & { exposeGc?: boolean },
): Promise<string> =>
  runToEnd(script, pinned('server', process.execPath, [...(exposeGc ? ['--expose-gc'] : []), pathOf(script), ...args]), limits);

const pathOf = (script: string) => fileURLToPath(new URL(`../../${script}`, import.meta.url));

async function runToEnd(what: string, [command, args]: [string, string[]], { env = {}, limitSeconds }: Limits): Promise<string> {
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.any([interruption.signal, AbortSignal.timeout(limitSeconds * 1000)]),
  });
  const [output, complaints] = [textOf(child.stdout), textOf(child.stderr)];
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${what} ended with ${code}: ${complaints() || output()}`);
  return output();
}

export interface StartedServer extends AsyncDisposable {
  readonly url: string;
  readonly process: ChildProcess;
}

/** A Node process that says where it listens, as `… is ready on http://…`; stopped when it is disposed of. */
export async function startServer(
  script: string,
  args: readonly string[],
  env: Record<string, string>,
  limitSeconds = 60,
): Promise<StartedServer> {
  const child = spawn(...pinned('server', process.execPath, [pathOf(script), ...args]), {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = textOf(child.stdout);
  const complaints = textOf(child.stderr);
  const exited = once(child, 'close');
  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await exited;
    clearTimeout(timer);
  };
  const giveUpAt = performance.now() + limitSeconds * 1000;
  for (;;) {
    const [, url] = /is ready on (http:\/\/127\.0\.0\.1:\d+)/.exec(output()) ?? [];
    if (url) return { url, process: child, [Symbol.asyncDispose]: stop };
    if (child.exitCode !== null || performance.now() > giveUpAt || interruption.signal.aborted) {
      await stop();
      interruption.signal.throwIfAborted();
      throw new Error(`${script} is not ready: ${output()}${complaints()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Collects what a stream says; only the end of it, so that a server that logs a lot costs nothing. */
function textOf(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (more: string) => (text = (text + more).slice(-100_000)));
  return () => text;
}
