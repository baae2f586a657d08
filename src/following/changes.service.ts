import { setTimeout as wait } from 'node:timers/promises';
import { Problem } from '../http/problem.ts';
import { refuseUnknown } from '../history/kept.ts';
import type { SettledStore } from '../reading/settled.store.ts';
import type { DefinitionsStore } from '../segments/definitions.store.ts';
import { type Batch, bytesFor, type Filter } from './batch.ts';
import { restText, welcomeText } from './happening-text.ts';
import type { PagesService } from './pages.service.ts';
import { compare, endOf, type Position } from './position.ts';
import type { Recent } from './recent.ts';
import type { TailService } from './tail.service.ts';

export interface ChangesParts {
  readonly definitions: DefinitionsStore;
  readonly settled: SettledStore;
  readonly pages: PagesService;
  readonly tail: TailService;
  readonly onFailure: (error: unknown) => void;
}

/** Whoever a stream is for: told when there is something to take, or that nothing more comes. */
interface Reader {
  news(): void;
  end(): void;
}

export type ChangesService = ReturnType<typeof changesService>;

/** What is given to a socket at a time. */
const pieceBytes = 65_536;

/** Before a page that could not be read is asked for again. */
const retryMs = 500;

/** What happens, told in order to whoever follows. */
export function changesService({ definitions, settled, pages, tail, onFailure }: ChangesParts) {
  /** A reader at a place of its own: from memory where that reaches back to it, else page by page until it does. */
  const follow = (from: Position, filter: Filter, reader: Reader) => {
    let position = from;
    let rest: Buffer | undefined = Buffer.from(welcomeText(from));
    let batch: Batch | undefined;
    let isReading = false;
    let isOver = false;
    const stopListening = tail.listen(reader);

    const readBehind = async (recent: Recent) => {
      isReading = true;
      try {
        const page = await pages.readApart(position, recent.end().at);
        batch = page.batch;
      } catch (error) {
        if (error instanceof Problem && error.code === 'position_gone') return reader.end();
        onFailure(error);
        await wait(retryMs);
      } finally {
        isReading = false;
      }
      if (!isOver) reader.news();
    };

    /** The next batch in which there may be something for this reader. */
    const next = (): Batch | undefined => {
      if (batch) return batch;
      const recent = tail.recent();
      if (!recent || isReading) return undefined;
      if (compare(position, recent.start()) < 0) {
        void readBehind(recent);
        return undefined;
      }
      const found = recent.following(position);
      if (!found && compare(position, recent.end()) < 0) position = recent.end();
      return found;
    };

    return {
      take(): Buffer | undefined {
        while (!rest) {
          const found = next();
          if (!found) return undefined;
          batch = undefined;
          const bytes = bytesFor(found, position, filter);
          position = found.upTo;
          if (bytes.length > 0) rest = bytes;
        }
        const piece = rest.subarray(0, pieceBytes);
        rest = piece.length < rest.length ? rest.subarray(pieceBytes) : undefined;
        return piece;
      },
      rest() {
        next(); // the end may have moved on without a word
        return restText(position);
      },
      close() {
        isOver = true;
        stopListening();
      },
    };
  };

  return {
    /**
     * The stream behind a place, or without one from now on, for a reader. 404 for a slug that no segment ever bore, 410
     * `position_gone` for a place that the log reaches no longer back to, or that this database has not reached.
     */
    async open(after: Position | undefined, filter: Filter): Promise<(reader: Reader) => ReturnType<typeof follow>> {
      if (filter.slug !== undefined) refuseUnknown(await definitions.current(), filter.slug);
      const now = endOf(await settled.look());
      if (after) {
        if (compare(after, now) > 0) throw ahead();
        await pages.refuseGone(after);
      }
      return (reader) => follow(after ?? now, filter, reader);
    },
  };
}

const ahead = (): Problem =>
  new Problem(
    'position_gone',
    'The position lies ahead of this database: it is of another one, or of what a restore has taken back. Read anew what you need, then follow without a position.',
  );
