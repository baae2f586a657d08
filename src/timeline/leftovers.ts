import type { Ending } from './decide.ts';
import type { Cause, Facts, Moment, Segment, Stay } from './facts.ts';
import { segmentOf, stayKey } from './pair.ts';

/** Where a stay stops counting that nobody has ended. */
export interface NaturalEnd {
  /** `Infinity` where nothing ends it. */
  readonly endsAt: Moment;
  readonly cause: Cause;
  readonly by: string;
  /** Whether the next stay of the pair ends it by its start. */
  readonly isCut: boolean;
}

/** Its segment's end, else its own, else the start of the next stay of the pair: in the order of the causes of an exit. */
export function naturalEnd({ deletedAt, deletedBy }: Segment, stay: Stay, next: Stay | undefined): NaturalEnd {
  const endsAt = Math.min(stay.endsAt, deletedAt, next?.startsAt ?? Infinity);
  if (endsAt === deletedAt && deletedAt < Infinity) return { endsAt, cause: 'segment_deleted', by: deletedBy!, isCut: false };
  if (endsAt === stay.endsAt) return { endsAt, cause: 'ttl', by: stay.begunBy, isCut: false };
  return { endsAt, cause: next!.begunCause, by: next!.begunBy, isCut: true };
}

/**
 * The ends of stays that were over by the moment but lie among the current ones still, but for those that a command names.
 * Whoever writes the user next takes them along, and housekeeping does. Of a pair they are the first ones, with none left
 * out: what cut a stay must not leave before it, or the stay would count again.
 * One that was cut ends by what cut it; where that began at this very moment and is taken back by it, by the command.
 */
export function leftovers(facts: Facts, moment: Moment, named: readonly Ending[] = []): Ending[] {
  const bySegment = Map.groupBy(
    facts.stays.filter((stay) => stay.endedCause === null).toSorted((a, b) => a.startsAt - b.startsAt),
    (stay) => stay.segmentId,
  );
  const byStay = new Map(named.map((one) => [stayKey(one), one]));
  const endingOf = (stay: Stay) => byStay.get(stayKey(stay));
  return [...bySegment.values()].flatMap((stays) =>
    stays.flatMap((stay, i): Ending[] => {
      const next = stays[i + 1];
      const { endsAt, cause, by, isCut } = naturalEnd(segmentOf(facts, stay.segmentId), stay, next);
      if (endsAt > moment || endingOf(stay)) return [];
      const { segmentId, startsAt } = stay;
      const takenBack = isCut && endsAt === moment ? endingOf(next!) : undefined;
      return [{ segmentId, startsAt, endsAt, cause: takenBack?.cause ?? cause, by: takenBack?.by ?? by }];
    }),
  );
}
