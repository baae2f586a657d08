import type { Answers, Bodies, Queries } from './api.ts';
import type { OwnWrites } from './own-writes.ts';
import { pages } from './pages.ts';
import { type CallOptions, type ChangeOptions, named, type Request, type Requests } from './requests.ts';

export type NewSegment = Bodies['createSegment'];
export type Segment = Answers['createSegment'];
export type CountedSegment = Answers['readSegment'];
export type SegmentChange = Bodies['changeSegment'];
export type Preview = Extract<Answers['changeSegment'], { readonly buckets: unknown }>;
export type Member = Answers['listMembers']['members'][number];
export type TimelinePoint = Answers['readTimeline']['points'][number];

/** Segments themselves. */
export function segments(requests: Requests, own: OwnWrites) {
  const of = (slug: string, below = '') => `/v1/segments/${named(slug)}${below}`;
  const change = async <Body>(
    request: Omit<Request, 'isSafe'>,
    { retry = false, ...options }: ChangeOptions = {},
  ): Promise<Body> => {
    const { body, headers } = await requests.send<Body>({ ...request, isSafe: retry }, options);
    own.ofAll(headers.get('revision'));
    return body;
  };

  return {
    /** Segments in byte order of their slugs, with how many are in; `limit` is that of a page. */
    list: (query: Omit<Queries['listSegments'], 'cursor'> = {}, options?: CallOptions) =>
      pages(
        (cursor) => requests.read<Answers['listSegments']>('/v1/segments', { ...query, cursor }, options),
        (page) => page.segments,
      ),

    /** `segment_not_found`. */
    get: async (slug: string, options?: CallOptions) => requests.read<CountedSegment>(of(slug), {}, options),

    /** `segment_exists`, `group_full`. */
    create: (segment: NewSegment, options?: ChangeOptions) =>
      change<Segment>({ method: 'POST', path: '/v1/segments', json: segment }, options),

    /** The description or the percentage; with `effective_at` the percentage of a moment to come. `group_full`. */
    change: async (slug: string, body: SegmentChange, options?: ChangeOptions) =>
      change<Segment>({ method: 'PATCH', path: of(slug), json: body }, options),

    /** What such a change would do to known users. Changes nothing. */
    preview: async (slug: string, body: SegmentChange, options?: CallOptions): Promise<Preview> =>
      (
        await requests.send<Preview>(
          { method: 'PATCH', path: of(slug), query: { dry_run: true }, json: body, isSafe: true },
          options,
        )
      ).body,

    /** Takes everybody out, now. `segment_not_found`. */
    delete: async (slug: string, options?: ChangeOptions): Promise<void> => {
      await change({ method: 'DELETE', path: of(slug) }, options);
    },

    /** Takes a percentage to come back: `id` as `scheduled` shows it. `scheduled_change_not_found`, `group_full`. */
    cancelScheduled: async (slug: string, id: string, options?: ChangeOptions): Promise<void> => {
      await change({ method: 'DELETE', path: of(slug, `/scheduled/${named(id)}`) }, options);
    },

    /** Who is in by hand, in byte order of the ids. */
    members: (slug: string, query: Omit<Queries['listMembers'], 'cursor'> = {}, options?: CallOptions) =>
      pages(
        (cursor) => requests.read<Answers['listMembers']>(of(slug, '/members'), { ...query, cursor }, options),
        (page) => page.members,
      ),

    /** How many were in by hand, over time. */
    timeline: async (slug: string, query: Queries['readTimeline'], options?: CallOptions): Promise<TimelinePoint[]> =>
      (await requests.read<Answers['readTimeline']>(of(slug, '/timeline'), query, options)).points,
  };
}
