import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '../db/database.ts';
import { gather } from '../db/gather.ts';
import { momentText } from '../http/moment.ts';
import { invalid, Problem } from '../http/problem.ts';
import { momentOf } from '../timeline/revision.ts';
import type { Moment } from '../timeline/facts.ts';

/** How long a past moment is waited for before 503 `moment_not_settled`. */
const patienceMs = 1_000;

export type SettledStore = ReturnType<typeof settledStore>;

/**
 * The moment up to which no change can arrive any more. A moment is taken before its commit, so for some milliseconds a
 * moment just passed may still gain a change; an answer given only up to the settled moment never changes.
 */
export function settledStore({ pool, clock }: Database) {
  let known: Moment = 0;

  /** Asks the database, once for all who wait in a tick. It writes when the mark moves, so it is not asked needlessly. */
  const settle = gather<null, { settled: Moment; now: Moment }>({
    lanes: 1,
    maxItems: 10_000,
    run: async (items) => {
      const sentAt = clock.mark();
      const { rows } = await pool.query<{ settled: number; clock: number }>({ name: 'settle', text: settleText });
      const { settled, clock: now } = rows[0]!;
      clock.observe(now, sentAt);
      known = Math.max(known, momentOf(settled));
      return items.map(() => ({ settled: momentOf(settled), now: momentOf(now) }));
    },
  });

  const reach = async (target: Moment, from: { settled: Moment; now: Moment }): Promise<Moment> => {
    const giveUpAt = performance.now() + patienceMs;
    let answer = from;
    for (let pauseMs = 2; answer.settled < target; pauseMs = Math.min(20, pauseMs * 2)) {
      if (performance.now() > giveUpAt) {
        throw new Problem('moment_not_settled', `A write that began before ${momentText(target)} is still under way. Ask again.`);
      }
      await wait(pauseMs);
      answer = await settle(null);
    }
    return answer.settled;
  };

  return {
    /** The latest moment that this process knows to be settled; 0 before the first answer. Asks nobody. */
    known: (): Moment => known,

    /** Asks for a newer one, without waiting for any moment to settle. */
    look: async (): Promise<Moment> => (await settle(null)).settled,

    /** Returns once nothing can change at or before the moment. A moment that the database's clock has not reached: 400. */
    async wait(moment: Moment, name: string): Promise<void> {
      if (moment <= known) return;
      const answer = await settle(null);
      if (moment > answer.now) {
        throw invalid(name, `lies in the future: ${momentText(moment)} is after ${momentText(answer.now)}.`);
      }
      await reach(moment, answer);
    },

    /** Waits until all that was acknowledged before the call is settled; the settled moment, at least up to `atMost` if that is earlier. */
    async upToNow(atMost: Moment = Infinity): Promise<Moment> {
      if (atMost <= known) return known;
      const answer = await settle(null);
      return reach(Math.min(answer.now, atMost), answer);
    },
  };
}

/** In a transaction of its own, so that the next statement's snapshot sees all that it promises. */
const settleText = `select settle() as settled, (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock`;
