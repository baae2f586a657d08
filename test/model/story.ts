import { type Command, decide, type Decision } from '../../src/timeline/decide.ts';
import { eventsBetween } from '../../src/timeline/events.ts';
import type { Facts, Stay } from '../../src/timeline/facts.ts';
import { segmentsAt } from '../../src/timeline/segments-at.ts';
import { bucketOfUser, runCore, second } from './core-run.ts';
import type { ModelCommand, ModelPatch } from './reference-model.ts';

/** The facts of one user that commands leave. Everything here is told in seconds; Ann defines segments, Bob puts users in. */
export const told = (...commands: ModelCommand[]): Facts => runCore(commands, (limit) => limit - 1).facts;

export const created = (at: number, slug: string, buckets = 0, by = 'ann'): ModelCommand => ({
  kind: 'create',
  at,
  slug,
  buckets,
  salt: slug,
  by,
});
export const rated = (at: number, slug: string, buckets: number, by = 'ann'): ModelCommand => ({
  kind: 'percent',
  at,
  slug,
  buckets,
  by,
});
/** In an exclusive group, whose name is the salt. */
export const grouped = (at: number, slug: string, group: string, buckets = 0, by = 'ann'): ModelCommand => ({
  kind: 'create',
  at,
  slug,
  buckets,
  salt: group,
  group,
  by,
});
/** From a moment to come. */
export const scheduled = (at: number, slug: string, effectiveAt: number, buckets: number, by = 'ann'): ModelCommand => ({
  kind: 'percent',
  at,
  slug,
  buckets,
  effectiveAt,
  by,
});
/** What was scheduled for that moment is taken back. */
export const cancelled = (at: number, slug: string, effectiveAt: number, by = 'ann'): ModelCommand => ({
  kind: 'cancel',
  at,
  slug,
  effectiveAt,
  by,
});
export const deleted = (at: number, slug: string, by = 'ann'): ModelCommand => ({ kind: 'delete', at, slug, by });
export const added = (at: number, slug: string, more: Partial<ModelPatch> = {}) => patched(at, { add: [slug], ...more });
export const removed = (at: number, slug: string, more: Partial<ModelPatch> = {}) => patched(at, { remove: [slug], ...more });
export const patched = (at: number, more: Partial<ModelPatch>): ModelCommand => ({
  kind: 'patch',
  at,
  add: [],
  remove: [],
  by: 'bob',
  cause: 'request',
  ...more,
});

/** The smallest percentage, in buckets, that has the user, and the greatest that has not; for a segment whose salt is its slug. */
export const reaching = (slug: string) => bucketOfUser(slug) + 1;
export const missing = (slug: string) => bucketOfUser(slug);

/** A stay in the segment created first, as it lies in the facts; with a start to come it is a plan. */
export const stay = (from: number, to = Infinity, more: Partial<Stay> = {}): Stay => ({
  segmentId: 1,
  startsAt: from * second,
  endsAt: to * second,
  since: from * second,
  excluded: false,
  begunBy: 'bob',
  begunCause: 'request',
  endedBy: null,
  endedCause: null,
  ...more,
});

export const withStays = (facts: Facts, ...stays: Stay[]): Facts => ({ ...facts, stays: [...facts.stays, ...stays] });

export const membersAt = (facts: Facts, at: number) => segmentsAt(facts, at * second);

/** Every entry and exit, happened or foreseen, a line each: `10 add A: request by bob`. */
export const history = (facts: Facts): string[] =>
  eventsBetween(facts, 0, Infinity).map(
    ({ at, operation, segment, cause, actor }) => `${at / second} ${operation} ${segment}: ${cause} by ${actor}`,
  );

/** What Bob asks for. */
export const asked = (more: Partial<Command>): Command => ({
  add: [],
  remove: [],
  start: null,
  end: { kind: 'never' },
  replaceInGroup: false,
  actor: 'bob',
  cause: 'request',
  ...more,
});

/** The decision about a command that is not refused. */
export function decided(facts: Facts, command: Command, at: number): Decision {
  const decision = decide(facts, command, at * second);
  if ('refused' in decision) throw new Error(`refused as ${decision.refused}`);
  return decision;
}
