import { percentOf, type Ranges } from '../rollout/ranges.ts';
import { lifeAt } from './definitions.ts';
import { type Event, eventsOf } from './events.ts';
import type { Facts, Moment } from './facts.ts';
import { type Pair, pairOf, type Standing, standingAt } from './pair.ts';

export type Because =
  | 'added'
  | 'rollout'
  | 'segment_deleted'
  | 'excluded'
  | 'group_taken'
  | 'removed'
  | 'expired'
  | 'not_covered'
  | 'never_added';

/** Why a user is in a segment at a moment, or is not. */
export interface Explanation {
  readonly member: boolean;
  readonly because: Because;
  /** The last effective event up to the moment within this life of the segment; null where there is none, or none is kept. */
  readonly since: Moment | null;
  /** The next one after it, past or foreseen. */
  readonly until: Moment | null;
  readonly changedBy: string | null;
  /** Null at 0 percent and after the segment's end. */
  readonly rollout: { readonly percent: number; readonly bucket: number; readonly ranges: Ranges } | null;
}

/**
 * The answer for the life of the slug that is newest at the moment; `undefined` when none had begun by then. Events before
 * `keptFrom` are not known: what can only be told from them is told as if they had not been. The moment is not before it.
 */
export function explain(facts: Facts, slug: string, moment: Moment, keptFrom: Moment = -Infinity): Explanation | undefined {
  const segment = lifeAt(facts.definitions, slug, moment);
  if (!segment) return undefined;
  const pair = pairOf(facts, segment);
  const standing = standingAt(pair, moment);
  const events = eventsOf(pair).filter(({ at }) => at >= keptFrom);
  const last = events.findLast((event) => event.at <= moment);
  const next = events.find((event) => event.at > moment);
  const ranges = standing.rollout?.ranges ?? [];
  return {
    member: standing.member,
    ...reason(pair, standing, last, moment),
    since: last?.at ?? null,
    until: next?.at ?? null,
    rollout: ranges.length > 0 ? { percent: percentOf(ranges), bucket: pair.bucket, ranges } : null,
  };
}

type Reason = Pick<Explanation, 'because' | 'changedBy'>;

function reason(pair: Pair, { member, stay, rollout, rival }: Standing, last: Event | undefined, moment: Moment): Reason {
  const { segment } = pair;
  if (stay) return { because: member ? 'added' : 'excluded', changedBy: stay.begunBy };
  if (member) return { because: 'rollout', changedBy: rollout!.changedBy };
  if (moment >= segment.deletedAt) return { because: 'segment_deleted', changedBy: segment.deletedBy };
  if (rival) return { because: 'group_taken', changedBy: rival.begunBy };
  if (last?.cause === 'ttl') return { because: 'expired', changedBy: last.actor };
  // A percentage that took the user and yielded to somebody's add in the group: that was no membership by hand.
  const wasByHand = last !== undefined && standingAt(pair, last.at - 1).stay !== undefined;
  if (last && wasByHand) return { because: 'removed', changedBy: last.actor };
  if (last || (rollout && rollout.ranges.length > 0)) return { because: 'not_covered', changedBy: rollout!.changedBy };
  return { because: 'never_added', changedBy: null };
}
