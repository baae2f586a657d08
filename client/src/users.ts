import type { Answers, Bodies, Queries } from './api.ts';
import type { OwnWrites } from './own-writes.ts';
import { pages } from './pages.ts';
import { type CallOptions, type ChangeOptions, named, type Requests } from './requests.ts';

export type Change = Bodies['changeSegmentsOfUser'];
export type Changed = Answers['changeSegmentsOfUser'];
export type Why = Answers['explainMembership'];
export type HistoryEvent = Answers['readHistory']['events'][number];
export type Membership = Answers['listMemberships']['memberships'][number];
export type ReportLink = Answers['linkReport'];

/** What is asked and changed of one user. */
export function users(requests: Requests, own: OwnWrites) {
  const of = (userId: string, what: string) => `/v1/users/${named(userId)}/${what}`;

  return {
    /**
     * Puts a user in segments and takes the user out of others: everything or nothing, at one moment (`as_of`).
     * `segment_not_found`, `group_conflict`.
     */
    async change(userId: string, change: Change, { retry = false, ...options }: ChangeOptions = {}): Promise<Changed> {
      const request = { method: 'PATCH', path: of(userId, 'segments'), json: change, isSafe: retry } as const;
      const { body } = await requests.send<Changed>(request, options);
      own.ofUser(userId, body.revision);
      return body;
    },

    /** Why a user is in a segment, or is not: now, or `at` a past moment. `segment_not_found`. */
    why: async (userId: string, segment: string, query: Queries['explainMembership'] = {}, options?: CallOptions) =>
      requests.read<Why>(of(userId, `segments/${named(segment)}`), query, options),

    /**
     * The entries and exits of a user, oldest first: of a `month` (in a `timezone`), or `from` a moment `to` another.
     * `limit` is that of a page. `history_dropped`.
     */
    history: (userId: string, query: Omit<Queries['readHistory'], 'cursor'>, options?: CallOptions) =>
      pages(
        (cursor) => requests.read<Answers['readHistory']>(of(userId, 'history'), { ...query, cursor }, options),
        ({ events }) => events,
      ),

    /** What was said of a user by hand and stands or is planned; with `ended`, what has ended. */
    memberships: (userId: string, query: Omit<Queries['listMemberships'], 'cursor'> = {}, options?: CallOptions) =>
      pages(
        (cursor) => requests.read<Answers['listMemberships']>(of(userId, 'memberships'), { ...query, cursor }, options),
        ({ memberships }) => memberships,
      ),

    /** A link to a user's month as CSV. Whoever has it needs no key until it expires. `history_dropped`. */
    report: async (userId: string, query: Queries['linkReport'], options?: CallOptions) =>
      requests.read<ReportLink>(of(userId, 'report'), query, options),

    /** The same of all users, or with `segment` of one segment's. `segment_not_found`, `history_dropped`. */
    reportOfAll: (query: Queries['linkReportOfMany'], options?: CallOptions) =>
      requests.read<ReportLink>('/v1/reports/history', query, options),
  };
}
