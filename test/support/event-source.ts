import { once } from 'node:events';
import http from 'node:http';
import { after } from 'node:test';
import { until } from './service.ts';

export interface ReadEvent {
  id: string;
  type: string;
  // Of three shapes, into which tests look.
  // oxlint-disable-next-line typescript/no-explicit-any
  data: any;
}

/** A stream of events as a client reads it (HTML, "Server-sent events"). */
export interface EventSource {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** All that came whole so far. */
  events: ReadEvent[];
  /** The place to go on from. */
  lastId: () => string;
  /** Everything that came, as it came. */
  text: () => string;
  isEnded: () => boolean;
  /** Waits until so many events came. */
  count(expected: number, limitMs?: number): Promise<ReadEvent[]>;
  /** Goes away, in the middle of whatever comes. */
  kill(): void;
}

const open = new Set<http.ClientRequest>();
after(() => {
  for (const request of open) request.destroy();
});

/** Connects, each time by a connection of its own; once it has said where it begins, it is there. */
export async function readEvents(url: string, headers: Record<string, string>): Promise<EventSource> {
  const request = http.get(url, { headers: { accept: 'text/event-stream', ...headers }, agent: false });
  open.add(request);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let [text, rest, lastId, isEnded] = ['', '', '', false];
  const events: ReadEvent[] = [];
  response.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    rest += piece;
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const fields = new Map(
        rest
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
      );
      rest = rest.slice(end + 2);
      lastId = fields.get('id') ?? lastId;
      const data = fields.get('data');
      if (data !== undefined) events.push({ id: lastId, type: fields.get('event')!, data: JSON.parse(data) as unknown });
    }
  });
  const ended = () => {
    isEnded = true;
    open.delete(request);
  };
  request.on('error', ended);
  response.on('error', ended).on('close', ended);
  if (response.statusCode === 200) await until(() => lastId !== '' || isEnded, 'the stream to say where it begins');
  if (response.statusCode === 200) await until(() => lastId !== '' || isEnded, 'the stream to say where it begins');
  return {
    status: response.statusCode!,
    headers: response.headers,
    events,
    lastId: () => lastId,
    text: () => text,
    isEnded: () => isEnded,
    async count(expected, limitMs = 10_000) {
      await until(() => events.length >= expected || isEnded, `${expected} events; there are ${events.length}`, limitMs);
      if (events.length < expected) throw new Error(`the stream ended after ${events.length} of ${expected} events: ${text}`);
      if (events.length < expected) throw new Error(`the stream ended after ${events.length} of ${expected} events: ${text}`);
      return events;
    },
    kill: () => void request.destroy(),
  };
}
