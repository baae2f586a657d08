import type { FactsStore } from '../reading/facts.store.ts';
import type { SettledStore } from '../reading/settled.store.ts';
import { byTime, type Event, eventsBetween } from '../timeline/events.ts';
import type { Moment } from '../timeline/facts.ts';
import { refuseDropped } from './kept.ts';
import type { Period } from './month.ts';

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

export function historyService(facts: FactsStore, settled: SettledStore) {
  /** The events of a period that have happened and are final, and the moment up to which that is all of them. */
  const settledEvents = async (userId: string, { from, to }: Period): Promise<{ events: Event[]; to: Moment }> => {
    const upTo = (await settled.upToNow(to - 1)) + 1;
    const end = Math.max(from, Math.min(to, upTo));
    const { facts: known, keptFrom } = await facts.since(userId, from);
    refuseDropped(from, 'from', keptFrom);
    return { events: eventsBetween(known, from, end), to: end };
  };

  return {
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
