import type { Batch } from '../following/batch.ts';
import type { TailService } from '../following/tail.service.ts';
import { momentText } from '../http/moment.ts';
import type { SettledStore } from '../reading/settled.store.ts';
import type { Moment } from '../timeline/facts.ts';

/** Whoever a stream is for: told when there is something to take, or that nothing more comes. */
interface Reader {
  news(): void;
  end(): void;
}

export type RefetchService = ReturnType<typeof refetchService>;

/** A reader that was cut asks again after a second. */
const welcome = 'retry: 1000\n:\n\n';

/**
 * Tells whoever has asked about a user to ask again: when anything was said of the user, when an end or a planned start
 * came, and when a segment was made, deleted, or takes others. Some of these change no answer; the `ETag` then says so.
 *
 * Nothing is kept for who comes back: a stream begins with one such word, so whatever came between the question and the
 * stream is in the next answer. Each word names a moment, so that the answer to it is no older.
 */
export function refetchService(tail: TailService, settled: SettledStore) {
  const follow = (userId: string, from: Moment, reader: Reader) => {
    /** What the word to come names. */
    let changedAt: Moment | undefined = Math.max(from, tail.recent()?.end().at ?? 0);
    /** What happened up to here is in the answer to the first word. */
    const first = changedAt;
    let text: string | undefined = welcome;

    const ask = (moment: Moment) => {
      changedAt = moment;
      reader.news();
    };
    const stopListening = tail.listen({
      news(batch) {
        const recent = tail.recent();
        if (batch && batch.upTo.at > first && concerns(batch, userId)) ask(batch.upTo.at);
        else if (!batch && recent && recent.start().at > first) ask(recent.end().at); // it has begun late
      },
      end: () => reader.end(),
    });

    return {
      take(): Buffer | undefined {
        if (text === undefined && changedAt !== undefined) {
          text = refetchText(changedAt);
          changedAt = undefined; // several that came meanwhile are one
        }
        const bytes = text === undefined ? undefined : Buffer.from(text);
        text = undefined;
        return bytes;
      },
      rest: () => ':\n\n',
      close: stopListening,
    };
  };

  return {
    /** The stream of a user from now on, for a reader. */
    async open(userId: string): Promise<(reader: Reader) => ReturnType<typeof follow>> {
      const from = await settled.look();
      return (reader) => follow(userId, from, reader);
    },
  };
}

const concerns = ({ isForAll, userIds }: Batch, userId: string): boolean => isForAll || userIds.has(userId);

const refetchText = (at: Moment): string =>
  `data: ${JSON.stringify({ type: 'refetchEvaluation', lastModified: momentText(at) })}\n\n`;
