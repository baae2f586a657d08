import { type Failure, refusalOf, unreachable } from './failure.ts';

export type Query = Record<string, string | number | boolean | null | undefined>;

export type Client = ReturnType<typeof clientOf>;

/** The root of the service: the folder above this page, wherever a proxy may have put it. */
const root = new URL('..', document.baseURI);

export function addressOf(path: string, query: Query = {}): string {
  const url = new URL(path, root);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== '') url.searchParams.set(name, String(value));
  return url.href;
}

/** Asks in the name of a key, which goes in the header and nowhere else. `onUnauthorized` hears that it lives no more. */
export function clientOf(key: string, onUnauthorized: () => void) {
  const authorization = `Bearer ${key}`;

  async function ask(method: string, path: string, init: RequestInit & { query?: Query } = {}): Promise<Response> {
    const { query, headers, ...rest } = init;
    let answer: Response;
    try {
      answer = await fetch(addressOf(path, query), {
        cache: 'no-store',
        ...rest,
        method,
        headers: { ...(headers as Record<string, string>), authorization },
      });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw unreachable();
    }
    if (answer.ok) return answer;
    if (answer.status === 401) onUnauthorized();
    throw await failureIn(answer);
  }

  return {
    authorization,
    ask,
    get: async <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
      parsed<T>(await ask('GET', path, { ...(query && { query }), ...(signal && { signal }) })),

    send: async <T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, query?: Query): Promise<T> =>
      parsed<T>(
        await ask(method, path, {
          ...(query && { query }),
          ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        }),
      ),
  };
}

/** The body, which may break off. */
async function parsed<T>(answer: Response): Promise<T> {
  if (answer.status === 204) return undefined as T;
  try {
    return (await answer.json()) as T;
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw unreachable();
  }
}

export async function failureIn(answer: Response): Promise<Failure> {
  const body: unknown = await answer.json().catch(() => null);
  const retryAfter = Number(answer.headers.get('retry-after'));
  return refusalOf(answer.status, body, retryAfter > 0 ? retryAfter : null);
}

export const segmentPath = (slug: string): string => `v1/segments/${encodeURIComponent(slug)}`;
export const userPath = (userId: string): string => `v1/users/${encodeURIComponent(userId)}`;

/** All pages of a list. */
export async function allOf<T extends { next_cursor: string | null }>(
  client: Client,
  path: string,
  query: Query,
  signal?: AbortSignal,
): Promise<T[]> {
  const pages: T[] = [];
  let cursor: string | null = null;
  do {
    const page: T = await client.get<T>(path, { ...query, cursor }, signal);
    pages.push(page);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return pages;
}
