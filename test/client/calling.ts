import { type Client, type ClientOptions, createClient } from '../../client/src/index.ts';
import { startApp, type TestApp } from '../support/app.ts';

/** What a client sent, and what came of it. */
export interface Sent {
  method: string;
  /** Without the host. */
  path: string;
  body: unknown;
  status: number | undefined;
}

/** A `fetch` that keeps what goes through it. Before each request `fail` may answer, or throw, in the service's place. */
export function recordingFetch(fail: (sent: Sent) => Response | undefined = () => undefined) {
  const sent: Sent[] = [];
  const recording: typeof fetch = async (input, init) => {
    const { pathname, search } = new URL(input);
    const text = typeof init?.body === 'string' ? init.body : undefined;
    const body: unknown = text?.startsWith('{') ? JSON.parse(text) : text;
    const one: Sent = { method: init?.method ?? 'GET', path: pathname + search, body, status: undefined };
    sent.push(one);
    const answer = fail(one) ?? (await fetch(input, init));
    one.status = answer.status;
    return answer;
  };
  return { sent, fetch: recording };
}

export interface ClientOfApp extends TestApp {
  client: Client;
  /** All that this client sent. */
  sent: Sent[];
  url: string;
  connect(options?: Partial<ClientOptions>): { client: Client; sent: Sent[] };
}

/** The app, listening, and clients of it with a key of the scope `write`. */
export async function startClient(options: Parameters<typeof startApp>[0] = {}): Promise<ClientOfApp> {
  const started = await startApp(options);
  const url = await started.app.listen({ host: '127.0.0.1', port: 0 });
  const connect: ClientOfApp['connect'] = (given = {}) => {
    const recorded = recordingFetch();
    return { client: createClient({ url, key: started.keys.write, fetch: recorded.fetch, ...given }), sent: recorded.sent };
  };
  return { ...started, ...connect(), url, connect };
}

/** All that an iterator gives. */
export async function all<One>(items: AsyncIterable<One>): Promise<One[]> {
  const found: One[] = [];
  for await (const item of items) found.push(item);
  return found;
}
