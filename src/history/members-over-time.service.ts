import { momentText } from '../http/moment.ts';
import { invalid } from '../http/problem.ts';
import type { SettledStore } from '../reading/settled.store.ts';
import type { DefinitionsStore } from '../segments/definitions.store.ts';
import type { Moment } from '../timeline/facts.ts';
import { refuseDropped, refuseUnknown } from './kept.ts';
import type { MembersOverTimeStore } from './members-over-time.store.ts';
import type { Period } from './month.ts';

export interface MembersAt {
  readonly at: Moment;
  readonly members: number;
}

export type MembersOverTimeService = ReturnType<typeof membersOverTimeService>;

export interface MembersOverTimeParts {
  readonly definitions: DefinitionsStore;
  readonly settled: SettledStore;
  readonly counts: MembersOverTimeStore;
}

/** How many were in a segment by hand, over time. */
export function membersOverTimeService({ definitions, settled, counts }: MembersOverTimeParts) {
  return {
    /**
     * At so many moments, from the first to the last one of a period, both included: of whichever life the slug had then. A
     * period that reaches into the future ends at the settled moment. So an answer never changes, while it is kept. 404 for a
     * slug that no segment ever bore, 400 for a period yet to come, 410 `history_dropped`.
     */
    async between(slug: string, { from, to }: Period, points: number): Promise<MembersAt[]> {
      const until = Math.min(to, await settled.upToNow(to));
      if (from > until) throw invalid('from', `lies in the future: ${momentText(from)} is after ${momentText(until)}.`);
      const known = await definitions.current(); // only now: a life may have begun while it waited
      refuseUnknown(known, slug);
      const moments = spread(from, until, points);
      const lives = known.bySlug.get(slug)!.filter(({ createdAt, deletedAt }) => createdAt <= until && deletedAt > from);
      const { counts: members, keptFrom } = await counts.count(
        lives.map(({ id }) => id),
        moments,
      );
      refuseDropped(from, 'from', keptFrom);
      return moments.map((at, i) => ({ at, members: members[i]! }));
    },
  };
}

/** So many moments from the first to the last, each as far from the next as whole milliseconds allow. */
export const spread = (from: Moment, to: Moment, points: number): Moment[] =>
  Array.from({ length: points }, (_, i) => from + Math.round(((to - from) * i) / (points - 1)));
