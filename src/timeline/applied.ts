import type { Decision, End } from './decide.ts';
import type { Facts, Moment, Stay } from './facts.ts';
import { stayKey } from './pair.ts';

/**
 * The facts after a decision was carried out at a moment: what the database's `apply_changes` makes of the same rows.
 * The answer of a write is read from these, and the tests replay whole histories with it.
 */
export function applied(facts: Facts, decision: Pick<Decision, 'endings' | 'beginnings'>, moment: Moment): Facts {
  const endings = new Map(decision.endings.map((one) => [stayKey(one), one]));
  const stays = facts.stays.flatMap((stay): Stay[] => {
    const named = stay.endedCause === null && endings.get(stayKey(stay));
    if (!named) return [stay];
    const endsAt = named.endsAt ?? Math.min(stay.endsAt, moment);
    return stay.startsAt < endsAt ? [{ ...stay, endsAt, endedBy: named.by, endedCause: named.cause }] : [];
  });
  for (const { segmentId, startsAt: start, excluded, end, since, cause, by } of decision.beginnings) {
    const startsAt = start ?? moment;
    stays.push({
      segmentId,
      startsAt,
      endsAt: endOf(end, startsAt),
      since: since === -Infinity ? moment : (since ?? startsAt),
      excluded,
      begunBy: by,
      begunCause: cause,
      endedBy: null,
      endedCause: null,
    });
  }
  return { ...facts, stays };
}

const endOf = (end: End, startsAt: Moment): Moment =>
  end.kind === 'never' ? Infinity : end.kind === 'at' ? end.moment : startsAt + end.milliseconds;
