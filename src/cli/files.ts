import { randomUUID } from 'node:crypto';
import { createWriteStream, openAsBlob } from 'node:fs';
import { access, constants, rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { CommandError } from './connect.ts';
import { progressLine, secondsOf, shower } from './progress.ts';
import { send, type Server, serverOf, Unreachable } from './server.ts';
import { onStopSignals } from './signals.ts';

export interface FileOptions {
  readonly url?: string | undefined;
  readonly operation?: string | undefined;
  readonly ttl?: string | undefined;
  readonly output?: string | undefined;
  readonly replaceInGroup?: boolean | undefined;
}

type Log = (line: string) => void;

interface Told {
  id: string;
  state: string;
  received: number;
  applied: number;
  unchanged: number;
  rejected: number;
  removed: number;
  error: string | null;
}

/** Tries of a service that does not answer, a second apart: the same Idempotency-Key makes a repeat harmless. */
const tries = 30;
/** Of one who was told to stop: less patience. */
const lastTries = 5;
const pollMs = 250;
/** How long it is tried to cancel. */
const cancelMs = 10_000;

/**
 * `import SLUG FILE`: sends the file and shows how far it is. The exit code: 0 done, 3 done with rejected rows, which are then
 * beside the file in `FILE.rejects.csv`, 1 failed, 130 cancelled by Ctrl-C: what was applied stays.
 */
export async function importFile(
  slug: string | undefined,
  file: string | undefined,
  options: FileOptions,
  log: Log,
): Promise<number> {
  if (slug === undefined || file === undefined) throw new CommandError('import takes a slug and a file. See segmentd --help.');
  const query = queryOf(options);
  const server = serverOf(options.url);
  await refuseUnsendable(file, options);
  const show = shower(log);
  const stopping = new AbortController();
  const sending = new AbortController();
  /** Whether the service may have the whole file. Only its answer tells then, also the answer to a repeat. */
  let mayHaveIt = false;
  let id: string | undefined;
  const stop = () => {
    stopping.abort();
    if (!mayHaveIt) return sending.abort();
    if (id !== undefined) return;
    show.end();
    log('waiting for what the service made of the file, to cancel that; Ctrl-C again leaves it as it is');
  };
  const sendOnce = async () => {
    const before = mayHaveIt;
    try {
      return await post(server, slug, query, file, () => (mayHaveIt = true), sending.signal);
    } catch (error) {
      if (error instanceof Unreachable && error.code === 'overloaded') mayHaveIt = before; // refused: it does not have it
      if (stopping.signal.aborted && !mayHaveIt) sending.abort();
      throw error;
    }
  };
  const ignoreSignals = onStopSignals(stop, () => process.exit(130), ['SIGINT', 'SIGTERM']); // with its terminal it ends, and the import goes on
  try {
    const sent = await again(sendOnce, sending.signal, () => (stopping.signal.aborted ? lastTries : tries));
    ({ id } = sent);
    const told = await followed(server, sent, show, stopping.signal);
    show.end();
    return await concluded(server, told, file, log);
  } catch (error) {
    show.end();
    const isUnknown = id === undefined && mayHaveIt;
    if (isUnknown && error instanceof Unreachable)
      throw new CommandError(`${error.message} It may have the whole file; then it applies it (GET /v1/imports tells).`, {
        cause: error,
      });
    if (!stopping.signal.aborted || isUnknown) throw error;
    if (id === undefined) log('cancelled: nothing was applied');
    else {
      const told = await cancelled(server, id);
      if (told.state !== 'cancelled') return await concluded(server, told, file, log); // it was over before
      log(`cancelled: what was applied stays (import ${id})`);
    }
    return 130;
  } finally {
    ignoreSignals();
  }
}

async function refuseUnsendable(file: string, { operation }: FileOptions): Promise<void> {
  const refuse = (why: string) => new CommandError(`${file} cannot be read: ${why}.`);
  const found = await stat(file).catch((error: unknown) => {
    throw refuse((error as Error).message);
  });
  // Of a pipe nobody knows where it ends, nor could it be sent again.
  if (!found.isFile()) throw refuse('it is no regular file; write what it gives to one first');
  if (found.size === 0 && operation === 'replace')
    throw new CommandError(
      `${file} is empty, and replace would take everybody out; a file with the heading user_id alone does that.`,
    );
  await access(file, constants.R_OK).catch((error: unknown) => {
    throw refuse((error as Error).message);
  });
}

async function cancelled(server: Server, id: string): Promise<Told> {
  const signal = AbortSignal.timeout(cancelMs);
  try {
    return await again(async () => {
      const answer = await send(server, `/v1/imports/${id}`, { method: 'DELETE', signal });
      return (await answer.json()) as Told;
    }, signal);
  } catch (error) {
    if (!signal.aborted && !(error instanceof Unreachable)) throw error;
    throw new CommandError(`Import ${id} could not be cancelled, since ${server.url} does not answer: it goes on.`, {
      cause: error,
    });
  }
}

/** `export SLUG`: everybody who is in by hand, to a file that is there when it is whole, or to the standard output. */
export async function exportFile(slug: string | undefined, { url, output }: FileOptions): Promise<number> {
  if (slug === undefined) throw new CommandError('export takes a slug. See segmentd --help.');
  const answer = await again(() =>
    send(serverOf(url), `/v1/segments/${encodeURIComponent(slug)}/members`, { headers: { accept: 'text/csv' } }),
  );
  const lines = Readable.fromWeb(answer.body as never);
  if (output === undefined) {
    await pipeline(lines, process.stdout, { end: false });
    return 0;
  }
  const partial = `${output}.partial`;
  try {
    await pipeline(lines, createWriteStream(partial));
    await rename(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw new CommandError(`The export broke off, and ${output} was not written: ${(error as Error).message}.`, { cause: error });
  }
  return 0;
}

function queryOf({ operation = 'add', ttl, replaceInGroup }: FileOptions): URLSearchParams {
  if (!['add', 'remove', 'replace'].includes(operation))
    throw new CommandError(`--operation must be add, remove or replace; got ${operation}.`);
  const query = new URLSearchParams({ operation });
  if (ttl !== undefined) {
    const seconds = secondsOf(ttl);
    if (seconds === undefined) throw new CommandError(`--ttl must be like 45s, 30m, 12h, 2d or 1w; got ${ttl}.`);
    query.set('ttl_seconds', String(seconds));
  }
  if (replaceInGroup) query.set('replace_in_group', 'true');
  return query;
}

const idempotencyKey = randomUUID();

/** Sends the file. `onWhole` is called before the last of it is sent. */
async function post(
  server: Server,
  slug: string,
  query: URLSearchParams,
  file: string,
  onWhole: () => void,
  signal: AbortSignal,
): Promise<Told> {
  const blob = await openAsBlob(file);
  let left = blob.size;
  if (left === 0) onWhole();
  const body = blob.stream().pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        left -= bytes.length;
        if (left === 0) onWhole();
        controller.enqueue(bytes);
      },
    }),
  );
  const headers = {
    'content-length': String(blob.size),
    'content-type': /\.txt(\.gz)?$/i.test(file) ? 'text/plain' : 'text/csv',
    'idempotency-key': idempotencyKey,
    ...(/\.gz$/i.test(file) ? { 'content-encoding': 'gzip' } : {}),
  };
  const answer = await send(server, `/v1/segments/${encodeURIComponent(slug)}/imports?${query.toString()}`, {
    method: 'POST',
    headers,
    body,
    duplex: 'half',
    signal,
  });
  return (await answer.json()) as Told;
}

async function followed(server: Server, sent: Told, show: (line: string) => void, signal: AbortSignal): Promise<Told> {
  const startedAt = performance.now();
  let told = sent;
  while (told.state === 'running' || told.state === 'receiving') {
    const { applied, unchanged, rejected, received } = told;
    show(
      progressLine(
        told.removed > 0 ? 'removing' : 'applying',
        applied + unchanged + rejected,
        received,
        performance.now() - startedAt,
      ),
    );
    await wait(pollMs, undefined, { signal });
    told = await again(async () => (await (await send(server, `/v1/imports/${told.id}`, { signal })).json()) as Told, signal);
  }
  return told;
}

async function concluded(server: Server, told: Told, file: string, log: Log): Promise<number> {
  const { id, state, received, applied, unchanged, rejected, removed, error } = told;
  const counts = [
    `${received} rows`,
    `${applied} applied`,
    `${unchanged} unchanged`,
    `${rejected} rejected`,
    ...(removed > 0 ? [`${removed} removed`] : []),
  ];
  log(`${state}${error === null ? '' : ` (${error})`}: ${counts.join(', ')} (import ${id})`);
  if (rejected > 0) {
    const target = `${file}.rejects.csv`;
    const answer = await again(() => send(server, `/v1/imports/${id}/rejects`));
    await pipeline(Readable.fromWeb(answer.body as never), createWriteStream(target));
    log(`the rejected rows are in ${target}`);
  }
  return state !== 'done' ? 1 : rejected > 0 ? 3 : 0;
}

/** Asks again while the service does not answer; gives up with one line. */
async function again<T>(ask: () => Promise<T>, signal?: AbortSignal, limit = () => tries): Promise<T> {
  for (let i = 1; ; i++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Unreachable) || i >= limit()) throw error;
      await wait(1_000, undefined, signal ? { signal } : {});
    }
  }
}
