import { eventReader, type StreamEvent } from '../../client/src/events.ts';
import type { Change } from './answers.ts';
import { addressOf, type Client, failureIn, type Query } from './client.ts';
import { waits } from './waits.ts';

export interface Following {
  readonly client: Client;
  readonly filter: Query;
  onChange(change: Change): void;
  /** It begins, or goes on after a break: what is shown may be old, of what the stream tells and of what it does not. */
  onOpen(): void;
  /** Whether the service can be reached. */
  onState(isConnected: boolean): void;
}

const refusedWaitMs = 5_000;

/**
 * Follows `/v1/changes` until it is stopped, across breaks, from the place of the last event. While the tab is hidden it does
 * not: a browser has six connections for all its tabs, and nobody looks. The function that comes back stops it.
 */
export function follow({ client, filter, onChange, onOpen, onState }: Following): () => void {
  let place = '';
  const waitMs = waits();
  let connection: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;

  async function connect() {
    if (isStopped || document.hidden || connection) return;
    const own = (connection = new AbortController());
    let openedAt = Infinity;
    try {
      const answer = await fetch(addressOf('v1/changes', filter), {
        headers: { authorization: client.authorization, accept: 'text/event-stream', ...(place && { 'last-event-id': place }) },
        cache: 'no-store',
        signal: own.signal,
      });
      if (!answer.ok) return onRefused(await failureIn(answer).then(({ status }) => status));
      openedAt = performance.now();
      onState(true);
      onOpen();
      await read(answer.body!);
    } catch {
      if (!own.signal.aborted) onState(false);
    } finally {
      if (connection === own) connection = null;
    }
    // Also after one that was ended in good order: else who ends each at once would be asked without a pause.
    if (!own.signal.aborted) again(waitMs(performance.now() - openedAt));
  }

  async function read(body: ReadableStream<Uint8Array>) {
    const take = eventReader();
    const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read())
      for (const event of take(piece.value)) tell(event);
  }

  function tell({ id, type, data }: StreamEvent) {
    if (id !== '') place = id;
    if (data !== '') onChange({ kind: type, ...(JSON.parse(data) as object) } as Change);
  }

  function onRefused(status: number) {
    if (status === 401 || status === 403) return; // the client learns of it by what it asks
    if (status === 410) place = '';
    again(refusedWaitMs);
  }

  const again = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => void connect(), ms);
  };

  const onVisibility = () => {
    if (document.hidden) {
      connection?.abort();
      connection = null;
    } else again(0);
  };
  document.addEventListener('visibilitychange', onVisibility);
  void connect();

  return () => {
    isStopped = true;
    clearTimeout(timer);
    connection?.abort();
    document.removeEventListener('visibilitychange', onVisibility);
  };
}
