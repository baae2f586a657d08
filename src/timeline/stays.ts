import type { Facts, Moment, Stay } from './facts.ts';
import { naturalEnd } from './leftovers.ts';
import { segmentOf, staysOf } from './pair.ts';

/** A stay as it turned out: where it stopped counting, by whom and why; `endedCause` null while it counts or is to come. */
export interface ToldStay extends Stay {
  readonly slug: string;
}

/**
 * What was said of the user by hand, judged at a moment: what stands or is planned, or what has ended by then. By slug,
 * then by start. A stay also ends with its segment, and where the next stay of the pair starts.
 */
export function toldStays(facts: Facts, moment: Moment, ended: boolean): ToldStay[] {
  const segmentIds = [...new Set(facts.stays.map((stay) => stay.segmentId))];
  return segmentIds
    .flatMap((segmentId) => {
      const stays = staysOf(facts, segmentId);
      return stays.map((stay, i) => told(facts, stay, stays[i + 1], moment));
    })
    .filter((stay) => stay.startsAt < stay.endsAt && stay.endsAt <= moment === ended)
    .sort((a, b) => (a.slug === b.slug ? a.startsAt - b.startsAt : a.slug < b.slug ? -1 : 1));
}

function told(facts: Facts, stay: Stay, next: Stay | undefined, moment: Moment): ToldStay {
  const segment = segmentOf(facts, stay.segmentId);
  const { slug } = segment;
  if (stay.endedCause !== null) return { ...stay, slug };
  const { endsAt, cause, by } = naturalEnd(segment, stay, next);
  return endsAt <= moment ? { ...stay, slug, endsAt, endedBy: by, endedCause: cause } : { ...stay, slug, endsAt };
}
