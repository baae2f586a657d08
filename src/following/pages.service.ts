import type { DatabaseClient } from '../db/database.ts';
import { momentText } from '../http/moment.ts';
import { Problem } from '../http/problem.ts';
import type { DefinitionsStore } from '../segments/definitions.store.ts';
import type { Moment } from '../timeline/facts.ts';
import { type Batch, batchOf } from './batch.ts';
import { happeningsBetween, nextPlanned } from './happenings.ts';
import type { HappeningsRead, HappeningsStore } from './happenings.store.ts';
import { endOf, type Position, positionText } from './position.ts';

export interface Page {
  readonly batch: Batch;
  /** Whether it reaches up to the moment asked for. */
  readonly isLast: boolean;
  /** The next moment behind that at which something will happen by itself, as far as is known now. */
  readonly nextAt: Moment;
}

export type PagesService = ReturnType<typeof pagesService>;

/** Pages for readers who are behind that are read at a time: they must not take the connections of everybody else. */
const readAtOnce = 2;

/** The stream page by page, from the facts: what is new and what is long past are told by the same function. */
export function pagesService(store: HappeningsStore, definitions: DefinitionsStore) {
  /** 410 `position_gone` where the log reaches no longer back to the place. */
  const pageOf = async (after: Position, settled: Moment, read: () => Promise<HappeningsRead>): Promise<Page> => {
    for (let tries = 0; tries < 50; tries++) {
      const { version, definitionsRevision, goneUpTo, upTo, isLast, userIds, users, nextAt } = await read();
      if (after.at <= goneUpTo) throw gone(after, goneUpTo);
      const known = await definitions.ofVersion(version, definitionsRevision);
      if (!known) continue;
      const happenings = happeningsBetween(after, upTo, known, users);
      return {
        batch: batchOf(after, upTo, happenings, userIds),
        isLast,
        nextAt: Math.min(nextAt, nextPlanned(known, settled)),
      };
    }
    throw new Problem('definitions_busy', 'The definitions changed at each of 50 reads.');
  };

  /** Of readers who stand at one place, one asks: after a restart all of them stand at few. */
  const flights = new Map<string, Promise<Page>>();
  const waiting: (() => void)[] = [];
  let reading = 0;

  const inTurn = async <T>(read: () => Promise<T>): Promise<T> => {
    if (reading >= readAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else reading++;
    try {
      return await read();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else reading--;
    }
  };

  return {
    /** What follows a place up to a settled moment, on a connection that the store has prepared. */
    read: (client: DatabaseClient, after: Position, settled: Moment): Promise<Page> =>
      pageOf(after, settled, () => store.read(client, after, settled)),

    /** The same for a reader who is behind, when its turn comes. */
    readApart(after: Position, settled: Moment): Promise<Page> {
      const key = `${positionText(after)} ${settled}`;
      const known = flights.get(key);
      if (known) return known;
      const flight = inTurn(() => pageOf(after, settled, () => store.readApart(after, settled))).finally(() =>
        flights.delete(key),
      );
      flights.set(key, flight);
      return flight;
    },

    /** 410 `position_gone` for a place from where the stream cannot be told any more. */
    async refuseGone(after: Position): Promise<void> {
      const { goneUpTo } = await store.readApart(endOf(after.at), after.at);
      if (after.at <= goneUpTo) throw gone(after, goneUpTo);
    },
  };
}

const gone = (position: Position, upTo: Moment): Problem =>
  new Problem(
    'position_gone',
    `The position is of ${momentText(position.at)}; the log reaches back to ${momentText(upTo + 1)}. Read anew what you need, then follow without a position.`,
  );
