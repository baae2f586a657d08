import type { DatabaseClient } from '../db/database.ts';
import type { DefinitionsStore } from '../segments/definitions.store.ts';
import type { Moment } from '../timeline/facts.ts';
import { leftovers } from '../timeline/leftovers.ts';
import { forgetForeignChanges, pruneChanges, prunePlannedStarts } from './log-pruning.store.ts';
import { pruneImports } from './imports-pruning.store.ts';
import { keptFrom, monthsAhead, startOf } from './months.ts';
import { move, readUsers, usersCut, usersEnded, usersIn } from './moving.store.ts';
import { dropFromDefault, dropMonth, findMonths, findMonthsInDefault, makeMonth, raiseKeptFrom } from './partitions.store.ts';
import { repeated, type Steps } from './turns.ts';

/** What a round has to work with. */
export interface Round {
  readonly client: DatabaseClient;
  /** The database's clock. */
  readonly now: Moment;
}

export interface Task {
  readonly name: string;
  /** How long after it was begun it is begun again. Default 0: each round. One that fails: in the next round. */
  readonly everyMs?: number;
  readonly steps: (round: Round) => Steps;
}

export interface TaskOptions {
  /** For how long the log of changes is kept. */
  readonly changesHours: number;
  /** How many full months of history are kept besides the one that runs; null: all. */
  readonly historyMonths: number | null;
  /** How long something has been over before it is moved. Default an hour: much of it a later change takes along. */
  readonly restedMs?: number;
}

const hourMs = 3_600_000;

/** Five years. */
const monthsToCome = 60;

/** All there is to do. A task is a list of steps, each a transaction or two of some ten milliseconds. */
export function housekeepingTasks(definitions: DefinitionsStore, options: TaskOptions): readonly Task[] {
  const { changesHours, historyMonths, restedMs = hourMs } = options;

  /** Of those of these users who have something over, it is moved, with the end that it had. */
  const moveOver = async (client: DatabaseClient, userIds: readonly string[], moment: Moment) => {
    const { version, definitionsRevision, users } = await readUsers(client, userIds);
    const current = await definitions.ofVersion(version, definitionsRevision);
    if (!current) return; // they have changed since: in the next round
    const over = users.flatMap(({ userId, revision, stays }) => {
      const endings = leftovers({ userId, revision, stays, definitions: current }, moment);
      return endings.length > 0 ? [{ userId, revision, endings }] : [];
    });
    if (over.length > 0) await move(client, version, moment, over);
  };

  const moving = (find: (round: Round, moment: Moment) => AsyncGenerator<readonly string[]>) =>
    async function* (round: Round): Steps {
      const moment = round.now - restedMs;
      for await (const userIds of find(round, moment)) {
        if (userIds.length > 0) await moveOver(round.client, userIds, moment);
        yield;
      }
    };

  async function* usersInDeleted({ client }: Round, moment: Moment) {
    const { segments } = await definitions.current();
    const ids = segments.filter(({ deletedAt }) => deletedAt <= moment).map(({ id }) => id);
    yield* usersIn(client, ids);
  }

  /** The mark first, then the rows; and so too what was left undone before a restart, or under another setting. */
  async function* dropHistory({ client, now }: Round): Steps {
    const mark = await raiseKeptFrom(client, historyMonths === null ? -Infinity : keptFrom(now, historyMonths));
    yield;
    for (const month of await findMonths(client)) {
      if (startOf(month + 1) > mark) break;
      await dropMonth(client, month);
      yield;
    }
    yield* repeated(() => dropFromDefault(client, mark));
  }

  async function* makeMonths({ client, now }: Round): Steps {
    const made = new Set(await findMonths(client));
    const wanted = new Set([...monthsAhead(now, monthsToCome), ...(await findMonthsInDefault(client))]);
    for (const month of wanted.difference(made)) {
      yield;
      await makeMonth(client, month);
    }
  }

  return [
    { name: 'stays that have ended', steps: moving(({ client }, moment) => usersEnded(client, moment)) },
    { name: 'stays in deleted segments', steps: moving(usersInDeleted) },
    { name: 'stays that were cut', everyMs: 24 * hourMs, steps: moving(({ client }, moment) => usersCut(client, moment)) },
    { name: 'the log of changes', steps: ({ client }) => repeated(() => pruneChanges(client, changesHours)) },
    { name: 'planned starts that are over', steps: ({ client }) => repeated(() => prunePlannedStarts(client)) },
    { name: 'changes of another server', steps: ({ client }) => repeated(() => forgetForeignChanges(client)) },
    { name: 'imports that are over', everyMs: hourMs, steps: ({ client }) => repeated(() => pruneImports(client)) },
    { name: 'history that is no longer kept', everyMs: hourMs, steps: dropHistory },
    { name: 'months to come', everyMs: hourMs, steps: makeMonths },
  ];
}
