import type { Cause, Facts, Moment } from './facts.ts';
import { boundaries, outside, type Pair, pairsOf, rivalAt, type Standing, standingAt } from './pair.ts';

/** An effective entry or exit: what a reader would have seen change. */
export interface Event {
  readonly at: Moment;
  /** The slug. */
  readonly segment: string;
  readonly operation: 'add' | 'remove';
  readonly cause: Cause;
  /** The name of the key behind it: for `ttl` of who set the end, for `rollout` of who set the percentage. */
  readonly actor: string;
}

/**
 * The events with `from <= at < to`, past or foreseen: in time order, within a moment removes first, then by slug.
 * Needs the user's past stays too. What has not happened yet is foreseen from what stands, so bound `to` for a history.
 */
export function eventsBetween(facts: Facts, from: Moment, to: Moment): Event[] {
  return pairsOf(facts)
    .flatMap((pair) => eventsOf(pair))
    .filter((event) => event.at >= from && event.at < to)
    .sort(byTime);
}

/** The order of a history. */
export const byTime = (a: Pick<Event, 'at' | 'operation' | 'segment'>, b: Pick<Event, 'at' | 'operation' | 'segment'>): number =>
  a.at - b.at || (a.operation === b.operation ? compare(a.segment, b.segment) : a.operation === 'remove' ? -1 : 1);

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** All events of one user and segment, oldest first. They alternate: a segment begins and ends with nobody in it. */
export function eventsOf(pair: Pair): Event[] {
  const events: Event[] = [];
  let before: Standing = outside;
  for (const at of boundaries(pair)) {
    const now = standingAt(pair, at);
    if (now.member !== before.member) {
      const why = now.member ? entryCause(now) : exitCause(pair, before, now, at);
      events.push({ at, segment: pair.segment.slug, operation: now.member ? 'add' : 'remove', ...why });
    }
    before = now;
  }
  return events;
}

type Why = Pick<Event, 'cause' | 'actor'>;

const entryCause = ({ stay, rollout }: Standing): Why =>
  stay ? { cause: stay.begunCause, actor: stay.begunBy } : { cause: 'rollout', actor: rollout!.changedBy };

/** In the order of the contract: the segment's deletion, else a time that ran out, else a command, else the percentage. */
function exitCause({ segment, rivals }: Pair, before: Standing, now: Standing, at: Moment): Why {
  if (at >= segment.deletedAt) return { cause: 'segment_deleted', actor: segment.deletedBy! };
  const { stay } = before;
  if (stay && stay.endsAt === at) {
    if (stay.endedCause === null || stay.endedCause === 'ttl') return { cause: 'ttl', actor: stay.begunBy };
    return { cause: stay.endedCause, actor: stay.endedBy! };
  }
  const command = now.stay ?? rivalAt(rivals, at); // by hand here, or in another one of the group, to which the percentage yields
  if (command) return { cause: command.begunCause, actor: command.begunBy };
  return { cause: 'rollout', actor: now.rollout!.changedBy };
}
