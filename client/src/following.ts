import type { Queries } from './api.ts';
import { UnreachableError } from './errors.ts';
import { eventReader, type StreamEvent } from './events.ts';
import { pause, waitMs } from './repeating.ts';
import type { Requests } from './requests.ts';
import type { HistoryEvent } from './users.ts';

/** A user entered or left, for any cause but a percentage or a deletion. */
export interface Movement extends HistoryEvent {
  readonly type: 'entry' | 'exit';
  /** Where the event is: `after` goes on behind it. */
  readonly position: string;
  readonly user_id: string;
}

/** A segment was created or deleted, or takes other buckets. What that does to its users is not told one by one. */
export interface SegmentHappening {
  readonly type: 'segment';
  readonly position: string;
  readonly slug: string;
  readonly change: 'created' | 'percent' | 'deleted';
  readonly percent: number;
  readonly ranges: [from: number, to: number][];
  readonly at: string;
  readonly actor: string;
}

export type Happening = Movement | SegmentHappening;

export interface FollowOptions {
  /** Ends the stream, which then fails with the signal's reason. Leaving the loop ends it too. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with each place behind which nothing is left to deal with: the first when the stream stands, and those of quiet
   * times, so that they need not be gone through again.
   */
  readonly onPosition?: ((position: string) => void) | undefined;
}

/** The service says something every 15 seconds; where this long nothing came, nobody is there. */
const silenceMs = 45_000;

/** How long is waited at most after the first failure: what the service says in `retry`. */
const reconnectMs = 1_000;

/**
 * What happens, from now on or behind a place, in order, each event once: when the connection ends, it is made again at the
 * place where it was, as long as it takes. Fails where that would not help: `position_gone`, `unauthorized`, and so on.
 */
export async function* follow(
  requests: Requests,
  query: Queries['followChanges'] = {},
  { signal, onPosition }: FollowOptions = {},
): AsyncGenerator<Happening, void, undefined> {
  let place = query.after ?? '';
  for (let failures = 0; ; failures++) {
    const ended = new AbortController();
    const end = () => ended.abort(signal!.reason);
    signal?.addEventListener('abort', end, { once: true });
    let error: unknown;
    let isDealing = false;
    try {
      signal?.throwIfAborted();
      for await (const event of eventsOf(requests, { ...query, after: place || undefined }, ended)) {
        failures = 0;
        isDealing = true;
        if (event.data !== '') yield happeningOf(event);
        if (event.id !== '' && event.id !== place) {
          place = event.id;
          onPosition?.(place);
        }
        isDealing = false;
      }
    } catch (thrown) {
      signal?.throwIfAborted();
      if (isDealing || !mayPass(thrown)) throw thrown; // what the caller's own code throws is the caller's
      error = thrown;
    } finally {
      signal?.removeEventListener('abort', end);
      ended.abort(); // also where the loop was left
    }
    await pause(waitMs(failures, requests.retryAfterMs(error), reconnectMs), signal);
  }
}

/** The events of one connection, until it ends or breaks. */
async function* eventsOf(
  requests: Requests,
  query: Queries['followChanges'],
  ended: AbortController,
): AsyncGenerator<StreamEvent, void, undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => ended.abort(new UnreachableError('timeout', `nothing came for ${silenceMs} ms`)), silenceMs);
  };
  try {
    listen();
    const headers = { accept: 'text/event-stream' };
    const response = await requests.stream({ method: 'GET', path: '/v1/changes', query, headers, isSafe: true }, ended.signal);
    const pieces = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const read = eventReader();
    for (;;) {
      listen();
      const { done, value } = await pieces.read();
      if (done) return;
      clearTimeout(timer); // while the caller deals with it
      yield* read(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

const happeningOf = ({ id, type, data }: StreamEvent): Happening =>
  ({ type, position: id, ...(JSON.parse(data) as object) }) as Happening;

/** Whether it may be otherwise the next time: nothing was heard, or the answer may pass. */
function mayPass(error: unknown): boolean {
  const { status } = error as { status?: number };
  return status === undefined || status === 429 || status >= 500;
}
