import { failureOf, SegmentdError, unreachable, UnreachableError } from './errors.ts';
import { mayRepeat, pause, retryAfterOf, waitMs } from './repeating.ts';

/** How a call goes about it. */
export interface CallOptions {
  /** Ends the call, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call may take with all its attempts, in milliseconds; `Infinity`: as long as it takes. Default: 10,000. */
  readonly timeoutMs?: number | undefined;
  /** How often it may be attempted again. Default: 5. */
  readonly retries?: number | undefined;
}

/** The same of a change. */
export interface ChangeOptions extends CallOptions {
  /**
   * Whether it may be sent again though it may have been applied. Default: false, since the repeat may undo what somebody did
   * in between, and moves the end that a TTL gives.
   */
  readonly retry?: boolean | undefined;
}

export interface Service {
  /** Where it is: `https://segmentd.example.org`; a path in it stands before that of every request. */
  readonly url: string;
  readonly key: string;
  /** Default: the `fetch` of Node or of the browser. */
  readonly fetch?: typeof fetch | undefined;
}

type Parameters = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Request {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Parameters | undefined;
  /** Sent as JSON. */
  readonly json?: object;
  /** Sent as it is. */
  readonly body?: NonNullable<RequestInit['body']>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether a repeat does no harm. */
  readonly isSafe: boolean;
}

export interface Answer<Body> {
  readonly body: Body;
  readonly headers: Headers;
}

export type Requests = ReturnType<typeof requestsTo>;

/** The part of a path that says which: refuses what `fetch` would fold away, and so ask about something else. */
export function named(text: string): string {
  if (/^\.{0,2}$/.test(text)) throw new RangeError(`no user and no segment has the name ${JSON.stringify(text)}`);
  return encodeURIComponent(text);
}

export function requestsTo({ url, key, fetch: given }: Service, defaults: CallOptions) {
  const base = url.replace(/\/+$/, '');

  /** One attempt, up to the head of a success. */
  const open = async (request: Request, signal: AbortSignal | undefined): Promise<Response> => {
    const { method, path, query, json, headers } = request;
    const body = json ? JSON.stringify(json) : request.body;
    // Not called as a method of what was given, which browsers refuse.
    const response = await (given ?? globalThis.fetch)(base + path + queryText(query), {
      method,
      headers: { authorization: `Bearer ${key}`, ...(json ? { 'content-type': 'application/json' } : {}), ...headers },
      ...(body === undefined ? {} : { body, duplex: 'half' }), // which Node wants for a stream
      ...(signal ? { signal } : {}),
    });
    if (response.ok) return response;
    const failure = failureOf(response, await response.text());
    retryAfter.set(failure, retryAfterOf(response.headers));
    throw failure;
  };

  /** Attempts until it succeeds, or must not or need not be tried again, or the time is over. */
  const send = async <Body>(request: Request, options: CallOptions = {}): Promise<Answer<Body>> => {
    const { timeoutMs = defaults.timeoutMs ?? 10_000, retries = defaults.retries ?? 5 } = options;
    const endsAt = performance.now() + timeoutMs;
    const limit = within(timeoutMs, options.signal);
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          const response = await open(request, limit.signal);
          return { body: bodyOf(response, await response.text()) as Body, headers: response.headers };
        } catch (thrown) {
          limit.signal.throwIfAborted(); // whatever its reason looks like
          const error = told(thrown);
          const ms = waitMs(attempt, retryAfter.get(error));
          // Where the wait would outlast the time, the reason is told now.
          if (attempt >= retries || !mayRepeat(error, request.isSafe) || performance.now() + ms >= endsAt) throw error;
          await pause(ms, options.signal);
        }
      }
    } finally {
      limit.release();
    }
  };

  return {
    send,

    /** What a path answers, without changing anything. */
    read: async <Body>(path: string, query?: Parameters, options?: CallOptions): Promise<Body> =>
      (await send<Body>({ method: 'GET', path, query, isSafe: true }, options)).body,

    /** One attempt at an answer that is read as it comes. */
    async stream(request: Request, signal: AbortSignal): Promise<Response> {
      try {
        return await open(request, signal);
      } catch (thrown) {
        signal.throwIfAborted();
        throw told(thrown);
      }
    },

    /** How long the service asked to be left alone with this failure, in milliseconds. */
    retryAfterMs: (error: unknown): number => retryAfter.get(error as Error) ?? 0,
  };
}

const retryAfter = new WeakMap<Error, number>();

const told = (thrown: unknown): Error =>
  thrown instanceof SegmentdError || thrown instanceof UnreachableError ? thrown : unreachable(thrown);

/** One signal for a time and for the caller's own. `AbortSignal.any` would do, but versions of Node forget it or never let go. */
function within(timeoutMs: number, signal: AbortSignal | undefined) {
  const controller = new AbortController();
  const abort = () => controller.abort(signal!.reason);
  const late = () => controller.abort(new UnreachableError('timeout', `segmentd did not answer within ${timeoutMs} ms`));
  const timer = timeoutMs < 2 ** 31 ? setTimeout(late, timeoutMs) : undefined; // longer than that none can be
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    },
  };
}

function bodyOf({ headers, status, url }: Response, text: string): unknown {
  if (text === '' || headers.get('content-type')?.startsWith('text/csv')) return text;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnreachableError('answer', `${url} was answered with what is no JSON`, { cause, status });
  }
}

function queryText(query: Parameters = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
