import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/redis.ts';
import { adminKey, processEnv, until } from '../support/service.ts';

const steppedClock = new URL('stepped-clock.ts', import.meta.url).href;

export type ServiceProcess = Awaited<ReturnType<typeof openService>>;

export interface ServiceOptions {
  readonly name: string;
  /** Where the clock's offset and the log are. */
  readonly folder: string;
  readonly env: Record<string, string>;
  /** The tree of the service: this one, or a copy with a bug planted. */
  readonly root: URL;
}

/** A process of the service at one address, through kills and starts. */
export async function openService(atEnd: (end: () => Promise<void>) => void, { name, folder, env, root }: ServiceOptions) {
  const port = await freePort();
  const clock = join(folder, `${name}.clock`);
  const logPath = join(folder, `${name}.log`);
  const log = openSync(logPath, 'a');
  const main = fileURLToPath(new URL('src/main.ts', root));
  writeFileSync(clock, '0');
  let child: ChildProcess | undefined;
  /** Ends that nobody asked for. */
  const surprises: string[] = [];
  let isWanted = false;

  /** Why it stopped, if it said so. */
  const lastWords = () => {
    const lines = readFileSync(logPath, 'utf8').trim().split('\n');
    const at = lines.findLastIndex((line) => line.includes('"stopping') || line.startsWith('segmentd'));
    return lines.slice(at).join('\n').slice(0, 3_000);
  };

  const isUp = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
    return answer?.ok === true;
  };

  const kill = async () => {
    isWanted = false;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  atEnd(kill);

  const start = async () => {
    isWanted = true;
    const made = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', steppedClock, main, 'serve'], {
      cwd: folder,
      env: {
        ...processEnv(),
        HOST: '127.0.0.1',
        PORT: String(port),
        ADMIN_KEY: adminKey,
        LOG_LEVEL: 'error',
        STEPPED_CLOCK: clock,
        ...env,
      },
      stdio: ['ignore', log, log],
    });
    child = made;
    made.once('exit', (code, signal) => {
      if (isWanted && child === made) surprises.push(`${name} ended by itself with ${code ?? signal}: ${lastWords()}`);
    });
    await until(isUp, `${name} to answer`, 60_000);
  };

  return {
    name,
    port,
    surprises,
    start,
    kill,
    /** It stands still, with its connections open, until `resume`. */
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    /** Its wall clock is off by so much from now on. */
    stepClock(ms: number) {
      writeFileSync(clock, String(ms));
      child?.kill('SIGWINCH');
    },
    async ready(): Promise<boolean> {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(
        () => undefined,
      );
      return answer?.ok === true;
    },
  };
}
