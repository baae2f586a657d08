import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export const adminKey = 'the-admin-key-of-the-tests';

export interface Service {
  process: ChildProcess;
  url: string;
  /** Everything printed so far. */
  output(): string;
  /** The exit code, or the signal that ended it. */
  exited: Promise<number | string>;
  send(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown; headers: Headers }>;
}

/** A real process of the service, listening; killed after the test if it still runs. */
export async function startService(env: Record<string, string>, cwd?: string): Promise<Service> {
  const { process: child, output, exited } = runMain(['serve'], { PORT: '0', ADMIN_KEY: adminKey, ...env }, cwd);
  const ready = /segmentd is ready on (https?:\/\/[^"\s]+)/;
  await until(() => ready.test(output()) || child.exitCode !== null, 'the service to be ready', 60_000).catch(
    (error: unknown) => {
      child.kill('SIGKILL'); // where a file ends by this nothing is done after it
      throw error;
    },
  );
  const url = ready.exec(output())?.[1];
  if (!url) throw new Error(`the service stopped: ${output()}`);
  const send: Service['send'] = async (method, path, body) => {
    const answer = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text, headers: answer.headers };
  };
  return { process: child, url, output, exited, send };
}

/** What a process of the service needs of this one's environment. */
export const processEnv = (): Record<string, string> => {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return { PATH: PATH!, ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }) };
};

/** The command line as a process, with nothing of this one's environment but what it needs to run. */
export function runMain(args: string[], env: Record<string, string>, cwd?: string) {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...processEnv(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd ? { cwd } : {}),
  });
  after(() => void child.kill('SIGKILL'));
  return { process: child, ...ended(child) };
}

function ended(child: ChildProcessByStdio<null, Readable, Readable>) {
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const exited = once(child, 'close').then(([code, signal]) => (code as number | null) ?? (signal as string));
  return { output: () => printed, exited };
}

/** The same by `npm run`, as README has it, in a process group of its own, as a terminal makes one for each command. */
export function runByNpm(args: string[], env: Record<string, string>) {
  const folder = fileURLToPath(new URL('../..', import.meta.url));
  const { HOME = folder } = process.env;
  const child = spawn('npm', ['run', '--silent', 'segmentd', '--', ...args], {
    env: { ...processEnv(), HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
    detached: true,
  });
  after(() => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {} // it has ended
  });
  return { group: child.pid!, ...ended(child) };
}

/** Polls until a condition holds; fails after the limit. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, limitMs = 10_000): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
