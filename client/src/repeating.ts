import type { SegmentdError, UnreachableError } from './errors.ts';

/**
 * Whether the same request may be sent again after this failure. What only reads: where the failure may pass. A change: only
 * where it cannot have been applied, since a repeat may undo what somebody did in between, and moves a TTL's end.
 */
export function mayRepeat(error: unknown, isSafe: boolean): boolean {
  const { reason, status, code } = error as Partial<UnreachableError & SegmentdError>;
  if (reason === 'refused' || status === 429 || code === 'overloaded' || code === 'definitions_busy') return true;
  // Of a proxy: bad gateway, and its time-out.
  return isSafe && (reason === 'connection' || status === 503 || status === 502 || status === 504);
}

const [firstMs, longestMs] = [100, 10_000];

/**
 * How long to wait before the next attempt, in milliseconds: anything up to a bound that doubles ("full jitter",
 * aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter), so that clients that failed together do not come back
 * together. `retryAfterMs` is waited for first.
 */
export const waitMs = (attempt: number, retryAfterMs = 0, baseMs = firstMs): number =>
  retryAfterMs + Math.random() * Math.min(longestMs, baseMs * 2 ** attempt);

/** The header `Retry-After` in milliseconds, 0 where there is none. RFC 9110, section 10.2.3: seconds, or a date. */
export function retryAfterOf(headers: Headers): number {
  const text = headers.get('retry-after');
  if (text === null) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? ms : 0;
}

/** Ends after a time, or as soon as the signal is aborted: then with its reason. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const end = () => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, ms);
    signal?.addEventListener('abort', end, { once: true });
  });
}
