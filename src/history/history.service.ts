import type { FactsStore } from '../reading/facts.store.ts';
import type { SettledStore } from '../reading/settled.store.ts';
import type { DefinitionsStore } from '../segments/definitions.store.ts';
import { byTime, type Event, eventsBetween } from '../timeline/events.ts';
import type { Moment } from '../timeline/facts.ts';
import { type Reach, reachOf } from '../timeline/reach.ts';
import { refuseDropped, refuseUnknown } from './kept.ts';
import type { Period } from './month.ts';
import type { UserEvents } from './report.ts';
import type { ReportPage, ReportsStore } from './reports.store.ts';

export interface HistoryAnswer {
  readonly events: readonly Event[];
  /** Complete up to here; at most the end asked for, and not before its start. */
  readonly to: Moment;
  readonly hasMore: boolean;
}

/** Behind which event a page goes on, and up to where the first page was complete. */
export interface HistoryPosition {
  readonly after: Pick<Event, 'at' | 'operation' | 'segment'>;
  readonly to: Moment;
}

export type HistoryService = ReturnType<typeof historyService>;

export interface HistoryParts {
  readonly facts: FactsStore;
  readonly settled: SettledStore;
  readonly definitions: DefinitionsStore;
  readonly reports: ReportsStore;
}

export function historyService({ facts, settled, definitions, reports }: HistoryParts) {
  /** Up to where the events of a period are final: all that was acknowledged before the call is in. */
  const settledEnd = async ({ from, to }: Period): Promise<Moment> =>
    Math.max(from, Math.min(to, (await settled.upToNow(to - 1)) + 1));

  /** The events of a period that have happened and are final, and the moment up to which that is all of them. */
  const settledEvents = async (userId: string, period: Period): Promise<{ events: Event[]; to: Moment }> => {
    const { from } = period;
    const end = await settledEnd(period);
    const { facts: known, keptFrom } = await facts.since(userId, from);
    refuseDropped(from, 'from', keptFrom);
    return { events: eventsBetween(known, from, end), to: end };
  };

  /**
   * The pages of a report, each told to the end before it is left. The next one is read meanwhile. What is told was over
   * before the first page was read, so that pages read later say nothing else.
   */
  async function* pagesOf(from: Moment, to: Moment, reach: Reach): AsyncGenerator<ReportPage> {
    const read = (after: string) => reports.page({ from, to, ...reach }, after);
    for (let coming: Promise<ReportPage> | undefined = read(''); coming;) {
      const page: ReportPage = await coming;
      refuseDropped(from, 'from', page.keptFrom);
      coming = page.next === null ? undefined : read(page.next);
      coming?.catch(() => {}); // told when its turn comes, if it does
      yield page;
    }
  }

  return {
    /** 404 for a slug that no segment ever bore. */
    async refuseUnknown(slug: string): Promise<void> {
      refuseUnknown(await definitions.current(), slug);
    },

    /**
     * The events of a period of all users known before its end, or of those in a slug's lives, user by user in byte order;
     * users without events are left out. The first page is read when this returns, so that what is refused is refused
     * before anything is told.
     */
    async reportOfMany(period: Period, slug?: string): Promise<AsyncGenerator<UserEvents>> {
      const to = await settledEnd(period);
      const reach = reachOf(await definitions.current(), period.from, to, slug);
      const pages = pagesOf(period.from, to, reach);
      const first = await pages.next();

      async function* told(): AsyncGenerator<UserEvents> {
        for (let page = first; !page.done; page = await pages.next()) {
          for (const { userId, stays } of page.value.users) {
            const own = { userId, revision: null, definitions: reach.definitions, stays };
            const events = eventsBetween(own, period.from, to).filter(({ segment }) => slug === undefined || segment === slug);
            if (events.length > 0) yield { userId, events };
          }
        }
      }
      return told();
    },

    /**
     * Waits until all that was acknowledged before the call is settled, so an answer never changes; 503
     * `moment_not_settled` where that takes more than a second, 410 `history_dropped` where it begins before what is kept.
     */
    async events(userId: string, { from, to }: Period, limit: number, position?: HistoryPosition): Promise<HistoryAnswer> {
      const known = await settledEvents(userId, { from, to: Math.min(to, position?.to ?? to) });
      const rest = position ? known.events.filter((event) => byTime(event, position.after) > 0) : known.events;
      return { events: rest.slice(0, limit), to: known.to, hasMore: rest.length > limit };
    },

    /** 410 `history_dropped` for a period that begins before what is kept. */
    async refuseDropped({ from }: Period): Promise<void> {
      refuseDropped(from, 'from', await facts.keptFrom());
    },

    /** All events of a period, oldest first. */
    async report(userId: string, period: Period): Promise<readonly Event[]> {
      return (await settledEvents(userId, period)).events;
    },
  };
}
