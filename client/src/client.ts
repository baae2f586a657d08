import type { Queries } from './api.ts';
import { follow, type FollowOptions, type Happening } from './following.ts';
import { imports } from './imports.ts';
import { ownWrites } from './own-writes.ts';
import { reading, type ReadOptions } from './reading.ts';
import { requestsTo, type Service } from './requests.ts';
import { segments } from './segments.ts';
import { users } from './users.ts';

/** Where the service is, and how calls go about it where they do not say otherwise. */
export interface ClientOptions extends Service, Omit<ReadOptions, 'signal'> {}

export type Client = ReturnType<typeof createClient>;

/**
 * A client of segmentd. What is asked and sent has the names of the HTTP API; how a call goes about it is the last argument.
 * Every call may fail with a `SegmentdError` (the service refused or failed, by `code`) or an `UnreachableError`; the codes
 * that are peculiar to a call are named with it.
 */
export function createClient(options: ClientOptions) {
  const requests = requestsTo(options, options);
  const own = ownWrites();
  return {
    ...reading(requests, own, options),
    ...users(requests, own),
    ...imports(requests, own),
    segments: segments(requests, own),

    /** What happens, as an endless iterator: entries and exits as they come, ends included, and changes of segments. */
    follow: (query?: Queries['followChanges'], how?: FollowOptions): AsyncGenerator<Happening, void, undefined> =>
      follow(requests, query, how),
  };
}
