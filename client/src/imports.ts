import type { Answers, Queries } from './api.ts';
import type { OwnWrites } from './own-writes.ts';
import { pages } from './pages.ts';
import { pause } from './repeating.ts';
import { type CallOptions, named, type Request, type Requests } from './requests.ts';

export type Import = Answers['readImport'];

/** A file: its bytes, a part of a disk (`fs.openAsBlob`), or a stream. */
type File = Exclude<NonNullable<Request['body']>, string | FormData | URLSearchParams>;

export interface ImportOptions extends CallOptions {
  /** Of a file; an array of ids needs none. Default: `text/csv`. */
  readonly type?: 'text/csv' | 'text/plain' | undefined;
  /** A repeat with the same one, within a week, answers the import that the first one made. Default: one of the call's own. */
  readonly idempotencyKey?: string | undefined;
}

const [firstPollMs, longestPollMs] = [100, 1_000];

/** Files of ids. */
export function imports(requests: Requests, own: OwnWrites) {
  /** What was applied by then is in what is read from now on. */
  const known = (job: Import): Import => {
    own.ofAll(job.revision);
    return job;
  };
  const get = async (id: string, options?: CallOptions) =>
    known(await requests.read<Import>(`/v1/imports/${named(id)}`, {}, options));

  return {
    /**
     * Sends ids to be put in a segment, taken out, or to be all that are in: an array, or a file with an id a line. Answers
     * the import when its last byte is safe; `progress` tells how it is carried out. It may take as long as it takes, unless
     * `timeoutMs` says otherwise. It can be attempted again, but for a stream, which is gone. `segment_not_found`.
     */
    async importUsers(
      segment: string,
      users: readonly string[] | File,
      query: Queries['importMembers'],
      { type = 'text/csv', idempotencyKey = randomKey(), timeoutMs = Infinity, ...options }: ImportOptions = {},
    ): Promise<Import> {
      const isList = Array.isArray(users);
      const request: Request = {
        method: 'POST',
        path: `/v1/segments/${named(segment)}/imports`,
        query,
        body: isList ? linesOf(users as readonly string[]) : (users as File),
        headers: { 'content-type': isList ? 'text/plain' : type, 'idempotency-key': idempotencyKey },
        isSafe: true,
      };
      const isStream = users instanceof ReadableStream;
      return known((await requests.send<Import>(request, { ...options, timeoutMs, ...(isStream ? { retries: 0 } : {}) })).body);
    },

    /** An import as it is, again and again, until it is over: `done`, `failed` or `cancelled`. */
    async *progress({ id }: Pick<Import, 'id'>, options?: CallOptions): AsyncGenerator<Import, void, undefined> {
      for (let pollMs = firstPollMs; ; pollMs = Math.min(longestPollMs, pollMs * 1.5)) {
        const now = await get(id, options);
        yield now;
        if (now.state !== 'receiving' && now.state !== 'running') return;
        await pause(pollMs, options?.signal);
      }
    },

    imports: {
      /** `import_not_found`. */
      get,

      /** Imports, the oldest first; `limit` is that of a page. */
      list: (query: Omit<Queries['listImports'], 'cursor'> = {}, options?: CallOptions) =>
        pages(
          (cursor) => requests.read<Answers['listImports']>('/v1/imports', { ...query, cursor }, options),
          (page) => page.imports,
        ),

      /** The rows that were refused, as CSV: `line,value,reason`. */
      rejects: async (id: string, options?: CallOptions) =>
        requests.read<string>(`/v1/imports/${named(id)}/rejects`, {}, options),

      /** What was applied stays. One that is over stays as it is, so a repeat does no harm. */
      cancel: async (id: string, options?: CallOptions): Promise<Import> =>
        known((await requests.send<Import>({ method: 'DELETE', path: `/v1/imports/${named(id)}`, isSafe: true }, options)).body),
    },
  };
}

/** An id a line. A line break in an id would make two users of it, and an empty one would be passed over without a word. */
function linesOf(users: readonly string[]): string {
  const broken = users.find((userId) => /^$|\s/.test(userId));
  if (broken !== undefined) throw new RangeError(`no user has the id ${JSON.stringify(broken)}`);
  return users.join('\n');
}

/** 128 random bits. `crypto.randomUUID` is not there on pages that came by http. */
const randomKey = (): string => crypto.getRandomValues(new Uint32Array(4)).join('-');
