/** What the API answers, as far as the page reads it (`/openapi.json`). */

export type Scope = 'evaluate' | 'read' | 'write' | 'admin';
export type Ranges = readonly (readonly [from: number, to: number])[];

export interface OwnKey {
  name: string;
  scope: Scope;
}

export interface ScheduledShare {
  id: string;
  percent: number;
  ranges: Ranges;
  effective_at: string;
}

export interface Segment {
  slug: string;
  description: string;
  percent: number;
  salt: string;
  exclusive_group: string | null;
  created_at: string;
  updated_at: string;
  ranges: Ranges;
  scheduled: ScheduledShare[];
}

export interface CountedSegment extends Segment {
  members: number;
  rollout_estimate: number;
}

export interface Page {
  next_cursor: string | null;
}

export interface Segments extends Page {
  segments: CountedSegment[];
}

export interface Movement {
  count: number;
  user_ids: string[];
}

export interface Preview {
  slug: string;
  percent: { from: number; to: number };
  effective_at: string | null;
  buckets: { gained: number; lost: number };
  enter: Movement;
  leave: Movement;
  as_of: string;
}

export interface Member {
  user_id: string;
  since: string;
  until: string | null;
}

export interface Members extends Page {
  members: Member[];
}

export interface SizeOverTime {
  points: { at: string; members: number }[];
}

export interface Import {
  id: string;
  segment: string;
  operation: 'add' | 'remove' | 'replace';
  state: 'receiving' | 'running' | 'done' | 'failed' | 'cancelled';
  received: number;
  applied: number;
  unchanged: number;
  rejected: number;
  removed: number;
  created_at: string;
  finished_at: string | null;
  error: string | null;
}

export interface Imports extends Page {
  imports: Import[];
}

export interface SegmentsOfUser {
  user_id: string;
  segments: string[] | null;
  as_of: string;
  revision: string;
}

export interface Changed extends SegmentsOfUser {
  added: string[];
  removed: string[];
  unchanged: string[];
}

export interface Why {
  segment: string;
  member: boolean;
  because:
    | 'added'
    | 'rollout'
    | 'segment_deleted'
    | 'excluded'
    | 'group_taken'
    | 'removed'
    | 'expired'
    | 'not_covered'
    | 'never_added';
  since: string | null;
  until: string | null;
  changed_by: string | null;
  rollout: { percent: number; bucket: number; ranges: Ranges } | null;
  as_of: string;
}

export interface Stay {
  segment: string;
  effect: 'include' | 'exclude';
  starts_at: string;
  ends_at: string | null;
  changed_by: string;
  ended_by?: string;
  ended_cause?: 'request' | 'import' | 'ttl' | 'segment_deleted';
}

export interface Stays extends Page {
  memberships: Stay[];
  as_of: string;
}

export type Cause = 'request' | 'import' | 'ttl' | 'rollout' | 'segment_deleted';

export interface HistoryEvent {
  at: string;
  segment: string;
  operation: 'add' | 'remove';
  cause: Cause;
  actor: string;
}

export interface History extends Page {
  from: string;
  to: string;
  events: HistoryEvent[];
}

export interface Link {
  url: string;
  expires_at: string;
}

/** An event of `/v1/changes`. */
export type Change =
  | { kind: 'segment'; slug: string; change: 'created' | 'percent' | 'deleted' }
  | { kind: 'entry' | 'exit'; user_id: string; segment: string };
