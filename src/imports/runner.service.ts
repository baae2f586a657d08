import type { DatabaseClient } from '../db/database.ts';
import { failureOf } from '../db/failures.ts';
import type { Import, ImportsStore } from './imports.store.ts';
import { renewMs } from './lease.ts';
import type { StagingStore } from './staging.store.ts';
import { Stopped } from './stopped.ts';

export interface RunnerOptions {
  readonly imports: ImportsStore;
  readonly staging: StagingStore;
  /** A name, never given before, among all that share the database: a UUID. */
  readonly newOwner: () => string;
  /** Does the work in the name of `owner`, on a connection of its own; ends early with `Stopped`. */
  readonly carryOut: (job: Import, client: DatabaseClient, owner: string, isClosing: () => boolean) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

export type ImportRunner = ReturnType<typeof importRunner>;

/** How many imports a process works on at a time: a small file need not wait for a large one. */
const slots = 2;
/** How long a stop leaves a connection of an import to itself, which may be sorting, before it breaks that off. */
const interruptMs = 1_000;
/** How often it looks for those whose process is gone. */
const pollMs = 2_000;
/**
 * After so many failures at the same place an import is given up, so that one that cannot be carried out, or ends the
 * process, does not run for ever. What an outage, a lock or a stop explains is none: the import was acknowledged.
 */
const maxAttempts = 10;

/** Takes up what was received, here or elsewhere, and what another process has left, until it is closed. */
export function importRunner(options: RunnerOptions) {
  const { imports, staging, newOwner, carryOut, onFailure } = options;
  const closing = new AbortController();
  const isClosing = () => closing.signal.aborted;
  const clients = new Set<DatabaseClient>();
  const sleepers = new Set<() => void>();
  let wakes = 0;

  const sleep = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      if (isClosing()) return resolve();
      const end = () => {
        clearTimeout(timer);
        sleepers.delete(end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      sleepers.add(end);
    });

  const runOne = async (job: Import, owner: string): Promise<void> => {
    const renewing = setInterval(() => void imports.renew(job.id, owner).catch(onFailure), renewMs);
    let client: DatabaseClient | undefined;
    try {
      if (job.attempts > maxAttempts) {
        await imports.finish(job.id, owner, 'failed', 'internal_error');
        return;
      }
      client = await staging.open();
      clients.add(client);
      await carryOut(job, client, owner, isClosing);
    } catch (error) {
      const isStopped = error instanceof Stopped || isClosing(); // what a stop breaks off is no failure
      const isOutage = failureOf(error) !== undefined;
      if (!isStopped) {
        onFailure(error);
        await sleep(isOutage ? 1_000 : 200);
      }
      await imports.release(job.id, owner, !isStopped && !isOutage).catch(onFailure);
    } finally {
      clearInterval(renewing);
      if (client) clients.delete(client);
      await client?.end().catch(() => {}); // what it held is the server's to drop
    }
  };

  const work = async () => {
    // Of each slot its own: a lease that ran out while the process stood still may be taken by the other one of this process.
    const owner = newOwner();
    while (!isClosing()) {
      try {
        const heard = wakes;
        const job = await imports.claim(owner);
        if (job) await runOne(job, owner);
        else if (heard === wakes) await sleep(pollMs); // what was accepted since may have come too late for the look
      } catch (error) {
        if (!isClosing()) onFailure(error);
        await sleep(pollMs);
      }
    }
  };
  const working = Promise.all(Array.from({ length: slots }, work));
  const wake = () => {
    wakes++;
    for (const end of sleepers) end();
  };

  return {
    /** Something was accepted. */
    wake,

    /** Ends after the batch that is being written; another process goes on. */
    async close(): Promise<void> {
      closing.abort();
      wake();
      const interrupting = setInterval(() => {
        for (const client of clients) void staging.interrupt(client).catch(onFailure);
      }, interruptMs);
      await working;
      clearInterval(interrupting);
    },
  };
}
