import { fileURLToPath } from 'node:url';
import { firstUserId } from './population.ts';
import { runLoad } from './processes.ts';

/** What is sent: to random users out of `users`. */
export type Request =
  | { readonly mode: 'read'; readonly query?: string }
  | { readonly mode: 'lookup' }
  /** OpenFeature's question about one flag. */
  | { readonly mode: 'evaluate'; readonly flag: string }
  /** Each user at most once: from the position `first` of one fixed random order. */
  | { readonly mode: 'change'; readonly body: string; readonly first: number };

export interface HttpLoad {
  /** Where the server is; a path in it stands before that of every request. */
  readonly url: string;
  readonly key: string;
  readonly request: Request;
  readonly users: number;
  readonly connections: number;
  readonly seconds: number;
}

export type HttpSample = Awaited<ReturnType<typeof runWrk>>;

const script = fileURLToPath(new URL('load.lua', import.meta.url));

/** One round over HTTP: each connection sends its next request when the last one is answered. Any failed request fails it. */
export async function runWrk({ url, key, request, users, connections, seconds }: HttpLoad) {
  const env = {
    LOAD_MODE: request.mode,
    LOAD_KEY: key,
    LOAD_PREFIX: new URL(url).pathname.replace(/\/$/, ''),
    LOAD_USERS: String(users),
    LOAD_FIRST_ID: String(firstUserId),
    LOAD_SEED: String(Math.floor(Math.random() * 2 ** 31)),
    ...(request.mode === 'read' ? { LOAD_QUERY: request.query ?? '' } : {}),
    ...(request.mode === 'evaluate' ? { LOAD_FLAG: request.flag } : {}),
    ...(request.mode === 'change' ? { LOAD_BODY: request.body, LOAD_FIRST: String(request.first) } : {}),
  };
  const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '10s', '-s', script, url];
  const output = await runLoad('wrk', args, { env, limitSeconds: seconds + 30 });
  const [, json] = /^RESULT (.*)$/m.exec(output) ?? [];
  if (!json) throw new Error(`wrk gave no result: ${output}`);
  const told = JSON.parse(json) as Record<'requests' | 'bytes' | 'microseconds' | 'p50' | 'p99' | 'refused' | 'broken', number>;
  if (told.refused + told.broken > 0 || told.requests === 0) {
    throw new Error(`of ${told.requests} requests ${told.refused} were refused and ${told.broken} broke`);
  }
  return {
    requests: told.requests,
    perSecond: told.requests / (told.microseconds / 1e6),
    bytesAnAnswer: Math.round(told.bytes / told.requests),
    p50Ms: told.p50 / 1000,
    p99Ms: told.p99 / 1000,
  };
}
