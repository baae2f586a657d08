import type { DatabaseClock } from '../../db/clock.ts';
import type { DatabaseClient } from '../../db/database.ts';
import type { DefinitionsStore } from '../../segments/definitions.store.ts';
import type { Facts, Moment } from '../../timeline/facts.ts';
import { momentOf } from '../../timeline/revision.ts';
import { type View, viewFor } from '../../timeline/view.ts';
import type { Followed } from '../follower.service.ts';
import { presentFacts } from '../present-facts.ts';
import type { FactsNow, HoldingReader, UserRead } from '../reader.ts';
import { tableLoader } from './loading.ts';
import type { LogStore, Position, UserStays } from './log.store.ts';
import { MemberCounts } from './member-counts.ts';
import { maxAhead, MembershipTable } from './table.ts';
import { type PresentStay, rewriteWords, slugsOf, staysOf, WordList, writeWords } from './words.ts';

export interface Snapshot extends HoldingReader, Followed {
  /** `ageMs` is infinite while nothing is loaded. */
  figures(): { ageMs: number; users: number; bytes: number };
  /** How many are in these segments by hand, by segment. `undefined` as for a read. */
  membersOf(segmentIds: readonly number[]): Map<number, number> | undefined;
  /** Whether reads are answered from it, as far as its age allows. */
  isLoaded(): boolean;
  /** Stops a load under way. */
  close(): Promise<void>;
}

export interface SnapshotParts {
  readonly log: LogStore;
  readonly definitions: DefinitionsStore;
  readonly clock: DatabaseClock;
  readonly maxStalenessMs: number;
  /** Asks the follower for a refresh soon. */
  readonly wake: () => void;
  readonly onFailure: (error: unknown) => void;
}

/** Users whose rows are read and put in one go: a few milliseconds without a pause for other requests. */
const usersAtOnce = 1_000;

/** After a load that failed the next one waits, twice as long each time. */
const firstLoadPauseMs = 500;
const longestLoadPauseMs = 60_000;

/** Changes of this process that no poll has confirmed: after so many it has not followed for long, and loads anew. */
const mostRecent = 1_000_000;
/** Beyond so many of them a batch of an import is left to the log: it would only make the above happen. */
const mostParts = 100_000;

/** Of all users, and how many of them are in each segment by hand. */
interface CountedTable {
  readonly users: MembershipTable;
  readonly counts: MemberCounts;
}

interface Look {
  readonly table: MembershipTable;
  readonly counts: MemberCounts;
  readonly view: View;
  readonly now: Moment;
  readonly ageMs: number;
  readonly asOf: Moment;
  /** Every change up to this revision is in the table; of a user's own, later ones may be. */
  readonly reached: number;
  readonly definitionsRevision: number;
}

const noWords = new Uint32Array(0);

/** All current and planned memberships in this process's memory, loaded once and then kept up with the log. */
export function snapshotReader({ log, definitions, clock, maxStalenessMs, wake, onFailure }: SnapshotParts): Snapshot {
  let table: CountedTable | undefined;
  /** What the table holds, but for what this process or a poll under way has put since. */
  let position: Position | undefined;
  /** Whether the table has once caught up with the log, so that reads may be answered from it. */
  let isReady = false;
  /** The newest change of each user that was put since what is settled: its revision. Nothing older is put over it. */
  const recent = new Map<string, number>();
  let view: View | undefined;
  const list = new WordList();

  let loaded: { table: CountedTable; position: Position } | undefined;
  let loading: Promise<void> | undefined;
  let loadPauseMs = firstLoadPauseMs;
  let nextLoadAt = 0;
  const closing = new AbortController();
  /** Somebody asked for a revision that only a newer settled moment can prove to be there. */
  let isSettlingWanted = false;

  const putStays = (into: CountedTable, userId: string, stays: readonly PresentStay[]) => {
    const now = clock.now();
    writeWords(list, stays, stays.length, now);
    putList(into, userId, now);
  };

  /** Puts what the list says of a user. */
  const putList = ({ users, counts }: CountedTable, userId: string, now: Moment) => {
    if (users.find(userId)) counts.change(users.found, users.from, users.to, -1, now);
    counts.change(list.words, 0, list.length, 1, now);
    users.set(userId, list.words, list.length);
  };

  /** A user whom this process has changed meanwhile may be newer than what the poll's snapshot saw. */
  const apply = (into: CountedTable, { userId, revision, stays }: UserStays) => {
    if ((recent.get(userId) ?? 0) > (revision ?? 0)) return;
    putStays(into, userId, stays);
    if (revision !== null) recent.set(userId, revision);
  };

  const drop = () => {
    table = undefined;
    position = undefined;
    isReady = false;
    recent.clear();
  };

  const load = async () => {
    const fresh = { users: new MembershipTable(), counts: new MemberCounts() };
    try {
      const at = await log.load(() => tableLoader(fresh.users, clock.now(), fresh.counts), closing.signal);
      loaded = { table: fresh, position: at };
      loadPauseMs = firstLoadPauseMs;
      wake();
    } catch (error) {
      nextLoadAt = performance.now() + loadPauseMs;
      loadPauseMs = Math.min(longestLoadPauseMs, loadPauseMs * 2);
      if (!closing.signal.aborted) onFailure(error);
    }
  };
  const startLoad = () => {
    if (!loading && performance.now() >= nextLoadAt) loading = load().finally(() => (loading = undefined));
  };

  /** From now on what this process writes goes into the fresh table; what it wrote before is news since the load. */
  const install = (fresh: NonNullable<typeof loaded>) => {
    drop();
    ({ table, position } = fresh);
    loaded = undefined;
  };

  /** Brings the table to where the log is, within one transaction of the database. `undefined`: it cannot be followed. */
  const catchUp = async (client: DatabaseClient, into: CountedTable, from: Position, isReconnected: boolean) => {
    const isSettling = isSettlingWanted || recent.size > 0;
    isSettlingWanted = false;
    const next = await log.begin(client, isSettling);
    const news = await log.news(client, from, next, isReconnected);
    if (news.kind === 'other') {
      drop(); // what it tells is of another history
      definitions.forget();
    }
    if (news.kind !== 'changes') {
      await log.end(client);
      return undefined;
    }
    await definitions.ofVersion(next.version, next.definitionsRevision); // or newer ones; before rows that name their segments
    const changed = new Set<string>();
    for (const { at, userIds } of news.changes) {
      // What this process put itself is here already: the moments of one user's changes are all different.
      for (const userId of userIds) if (momentOf(recent.get(userId) ?? 0) < at) changed.add(userId);
    }
    const ids = [...changed];
    for (let i = 0; i < ids.length; i += usersAtOnce) {
      const users = await log.users(client, ids.slice(i, i + usersAtOnce));
      for (const one of users) apply(into, one);
    }
    await log.end(client);
    return next;
  };

  /** What all reads of one instant share; `undefined` where nothing is fresh enough. */
  const look = (): Look | undefined => {
    if (!table || !position || !isReady) return undefined;
    const held = definitions.held();
    const ageMs = clock.ageOf(position.asOf);
    if (!held || ageMs > maxStalenessMs) return undefined;
    const now = clock.now();
    view = viewFor(view, held.definitions, now);
    const reached = Math.max(position.settled, position.definitionsRevision);
    return {
      table: table.users,
      counts: table.counts,
      view,
      now,
      ageMs,
      reached,
      asOf: position.asOf,
      definitionsRevision: held.definitions.revision,
    };
  };

  /** Every change up to which revision is in what is held of the user; `undefined` where that is not enough. */
  const reachedBy = (at: Look, userId: string, minRevision: number): number | undefined => {
    const reached = recent.size > 0 ? Math.max(at.reached, recent.get(userId) ?? 0) : at.reached;
    if (reached >= minRevision) return reached;
    isSettlingWanted = true;
    wake();
    return undefined;
  };

  const readAt = (at: Look, userId: string, minRevision: number): UserRead | undefined => {
    const { table, view, now, ageMs, asOf } = at;
    const reached = reachedBy(at, userId, minRevision);
    if (reached === undefined) return undefined;
    const segments = table.find(userId)
      ? slugsOf(table.found, table.from, table.to, view, userId, now)
      : slugsOf(noWords, 0, 0, view, userId, now);
    // The definitions may be newer than the rest: who shows the revision to another process is to see them there too.
    return { segments, asOf, revision: Math.max(reached, at.definitionsRevision), ageMs };
  };

  const factsAt = ({ table, view, now, ageMs }: Look, userId: string, reached: number): FactsNow => {
    const stays = table.find(userId) ? staysOf(table.found, table.from, table.to) : [];
    return { facts: presentFacts(userId, reached, view.definitions, stays), now, ageMs };
  };

  return {
    read(userId, minRevision) {
      const at = look();
      return at && readAt(at, userId, minRevision);
    },

    readMany(userIds, minRevision) {
      const at = look();
      if (!at) return undefined;
      const reads: (UserRead | undefined)[] = [];
      for (let i = 0; i < userIds.length; i++) {
        if (i % maxAhead === 0) at.table.prefetch(userIds, i, Math.min(userIds.length, i + maxAhead));
        reads.push(readAt(at, userIds[i]!, minRevision));
      }
      return reads;
    },

    factsOf(userId, minRevision) {
      const at = look();
      const reached = at && reachedBy(at, userId, minRevision);
      return reached === undefined ? undefined : factsAt(at!, userId, reached);
    },

    put({ userId, revision, stays }: Facts) {
      // An answer of the database that came late: the table is at this change already, or beyond it.
      if (!table || !position || revision === null) return;
      if (recent.size >= mostRecent) return drop();
      if (revision <= position.settled || (recent.get(userId) ?? 0) > revision) return;
      const sorted = stays.toSorted((a, b) => a.segmentId - b.segmentId || a.startsAt - b.startsAt);
      putStays(table, userId, sorted);
      recent.set(userId, revision);
    },

    putParts(segmentIds, revision, users) {
      if (!table || !position || revision <= position.settled || recent.size > mostParts) return;
      const now = clock.now();
      const held = table.users;
      for (const { userId, basedOn, stays } of users) {
        const own = recent.get(userId) ?? 0;
        // Newer already; or of the change that this one was made on the other segments may not be here yet.
        if (own > revision || (basedOn !== null && basedOn > Math.max(own, position.settled))) continue;
        if (held.find(userId)) rewriteWords(list, { words: held.found, from: held.from, to: held.to }, segmentIds, stays, now);
        else writeWords(list, stays, stays.length, now);
        putList(table, userId, now);
        recent.set(userId, revision);
      }
    },

    async refresh(client, isNew) {
      if (loaded) install(loaded);
      if (!table || !position) return startLoad();
      const reached = await catchUp(client, table, position, isNew);
      if (!reached) {
        if (position && clock.ageOf(position.asOf) > maxStalenessMs) drop(); // it answers nothing any more
        return startLoad();
      }
      position = reached;
      isReady = true;
      for (const [userId, revision] of recent) if (revision <= reached.settled) recent.delete(userId);
    },

    figures: () => ({
      ageMs: isReady && position ? clock.ageOf(position.asOf) : Infinity,
      users: table?.users.users ?? 0,
      bytes: table?.users.bytes ?? 0,
    }),

    membersOf(segmentIds) {
      const at = look();
      return at && new Map(segmentIds.map((id) => [id, at.counts.of(id, at.now)]));
    },

    isLoaded: () => isReady,

    async close() {
      closing.abort();
      await loading;
    },
  };
}
