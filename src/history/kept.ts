import { momentText } from '../http/moment.ts';
import { Problem } from '../http/problem.ts';
import type { Definitions, Moment } from '../timeline/facts.ts';

/** 410 for a moment, or the start of a period, from before what is kept: part of its rows may be gone. */
export function refuseDropped(moment: Moment, name: string, keptFrom: Moment): void {
  if (moment >= keptFrom) return;
  const detail = `${name} lies before what is kept: history goes back to ${momentText(keptFrom)}; got ${momentText(moment)}.`;
  throw new Problem('history_dropped', detail, { faults: [{ path: name, message: `lies before ${momentText(keptFrom)}.` }] });
}

/** 404 for a slug that no segment ever bore. */
export function refuseUnknown({ bySlug }: Definitions, slug: string): void {
  if (!bySlug.has(slug)) throw new Problem('segment_not_found', `No segment ever had the slug ${slug}.`);
}
