import type { Answers, Queries } from './api.ts';
import { gatherer } from './gathering.ts';
import { isSilence, type Known, knownUsers, type LastKnown } from './last-known.ts';
import { later, type OwnWrites } from './own-writes.ts';
import { type CallOptions, named, type Requests } from './requests.ts';

/** How a read goes about it. */
export interface ReadOptions extends CallOptions {
  /** Where nothing answers: what was last known of the user will do, if it is no older. Default: it will not. */
  readonly lastKnown?: LastKnown | undefined;
}

/** Where a user is. */
export interface UserSegments {
  readonly user_id: string;
  /** In byte order; none where the user is in none. */
  readonly segments: readonly string[];
  /** Every change acknowledged before this moment is in the answer. */
  readonly as_of: string;
  /** Safe to ask for later with `min_revision`. */
  readonly revision: string;
  /** How many seconds old the answer is at most, by this machine's measure; 0 with `at`. */
  readonly age_seconds: number;
  /** Whether nothing answered, and this is what was last known. */
  readonly is_last_known: boolean;
}

/** How new an answer must be, or of which past moment. */
export type Freshness = Queries['readSegmentsOfUser'];

interface Asked {
  readonly query: Freshness;
  readonly options: CallOptions;
}

/** What most calls say besides: nothing. */
const plain = {};

/** What can be a user id. Others go alone, so that nobody's question fails for them. */
const userIds = /^(?!\.{1,2}$)[!-~]{1,128}$/;

export function reading(requests: Requests, own: OwnWrites, defaults: ReadOptions) {
  const known = knownUsers();

  const leastOf = (userId: string, given: string | undefined): string | undefined => {
    const least = own.least(userId);
    // What is no revision is for the service to refuse.
    return given === undefined ? least : /^\d+$/.test(given) ? later(least, given) : given;
  };

  const gather = gatherer<Asked, Known>(async (users, { query, options }, signal) => {
    const { last_revision, min_revision } = query;
    const sentAtMs = performance.now();
    let reached: string | undefined;
    for (const userId of users) {
      const least = leastOf(userId, last_revision ? undefined : min_revision);
      if (least !== undefined) reached = later(reached, least);
    }
    const { body, headers } = await requests.send<Answers['lookUp']>(
      {
        method: 'POST',
        path: '/v1/lookup',
        json: { user_ids: users, ...(last_revision ? { last_revision } : { min_revision: reached }) },
        isSafe: true,
      },
      { ...options, signal },
    );
    const { as_of, revision } = body;
    const asOfMs = sentAtMs - Number(headers.get('age') ?? 0) * 1000;
    return body.users.map(({ segments }) => ({ segments: segments ?? [], as_of, revision, reached, asOfMs }));
  });

  const present = async (userId: string, query: Freshness, options: ReadOptions): Promise<UserSegments> => {
    const { last_revision, min_revision } = query;
    const { signal, timeoutMs, retries, lastKnown = defaults.lastKnown } = options;
    const isUserId = userIds.test(userId);
    const kind =
      query === plain && options === plain && isUserId
        ? '' // which is quicker a thousand times
        : `${last_revision} ${min_revision} ${timeoutMs} ${retries} ${isUserId || userId}`;
    try {
      const now = await gather(userId, { query, options }, kind, signal);
      if (lastKnown) known.keep(userId, now);
      return told(userId, now, false);
    } catch (error) {
      if (!lastKnown || last_revision || signal?.aborted || !isSilence(error)) throw error;
      const before = known.find(userId, lastKnown, leastOf(userId, min_revision));
      if (!before) throw error;
      return told(userId, before, true);
    }
  };

  const past = async (userId: string, query: Freshness, options: CallOptions): Promise<UserSegments> => {
    const { body } = await requests.send<Answers['readSegmentsOfUser']>(
      { method: 'GET', path: `/v1/users/${named(userId)}/segments`, query, isSafe: true },
      options,
    );
    return { ...body, segments: body.segments ?? [], age_seconds: 0, is_last_known: false };
  };

  const segmentsOf = (userId: string, query: Freshness = plain, options: ReadOptions = plain): Promise<UserSegments> =>
    query.at === undefined ? present(userId, query, options) : past(userId, query, options);

  return {
    /**
     * Where a user is, now or `at` a past moment. What is asked about the present in one tick goes in one request a thousand
     * users. It holds what this client changed before.
     */
    segmentsOf,

    /** Whether a user is in a segment. Nobody is in one that does not exist. */
    isIn: async (userId: string, segment: string, query?: Freshness, options?: ReadOptions): Promise<boolean> =>
      (await segmentsOf(userId, query, options)).segments.includes(segment),

    /** Where many users are, in the order asked: a request a thousand, side by side. */
    lookup: (users: Iterable<string>, query?: Omit<Freshness, 'at'>, options?: ReadOptions): Promise<UserSegments[]> =>
      Promise.all(Array.from(users, (userId) => segmentsOf(userId, query, options))),
  };
}

const told = (user_id: string, { segments, as_of, revision, asOfMs }: Known, is_last_known: boolean): UserSegments => ({
  user_id,
  segments,
  as_of,
  revision,
  age_seconds: Math.max(0, performance.now() - asOfMs) / 1000,
  is_last_known,
});
