export { type Client, type ClientOptions, createClient } from './client.ts';
export { type ProblemCode, SegmentdError, UnreachableError } from './errors.ts';
export type { FollowOptions, Happening, Movement, SegmentHappening } from './following.ts';
export type { Import, ImportOptions } from './imports.ts';
export type { LastKnown } from './last-known.ts';
export type { Freshness, ReadOptions, UserSegments } from './reading.ts';
export type { CallOptions, ChangeOptions } from './requests.ts';
export type { CountedSegment, Member, NewSegment, Preview, Segment, SegmentChange, TimelinePoint } from './segments.ts';
export type { Change, Changed, HistoryEvent, Membership, ReportLink, Why } from './users.ts';
// The very files that the service decides by.
export { bucketOf } from '../../src/rollout/bucket.ts';
export { covers as coveredBy, type Ranges } from '../../src/rollout/ranges.ts';
