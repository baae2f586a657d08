import type { Answers } from '../../client/src/api.ts';

/** What the API answers, by the names of this page. Their forms are made from the OpenAPI document. */

export type OwnKey = Answers['readOwnKey'];
export type Scope = OwnKey['scope'];

export type Segment = Answers['createSegment'];
export type CountedSegment = Answers['readSegment'];
export type Segments = Answers['listSegments'];
export type Preview = Extract<Answers['changeSegment'], { enter: unknown }>;
export type Movement = Preview['enter'];
export type Members = Answers['listMembers'];
export type Member = Members['members'][number];
export type SizeOverTime = Answers['readTimeline'];

export type Import = Answers['readImport'];
export type Imports = Answers['listImports'];

export type SegmentsOfUser = Answers['readSegmentsOfUser'];
export type Changed = Answers['changeSegmentsOfUser'];
export type Why = Answers['explainMembership'];
export type Stays = Answers['listMemberships'];
export type Stay = Stays['memberships'][number];
export type History = Answers['readHistory'];
export type HistoryEvent = History['events'][number];
export type Cause = HistoryEvent['cause'];
export type Link = Answers['linkReport'];

/** An event of `/v1/changes`. */
export type Change =
  | { kind: 'segment'; slug: string; change: 'created' | 'percent' | 'deleted' }
  | { kind: 'entry' | 'exit'; user_id: string; segment: string };
