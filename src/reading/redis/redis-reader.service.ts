import type { DatabaseClock } from '../../db/clock.ts';
import type { DatabaseClient } from '../../db/database.ts';
import type { DefinitionsStore } from '../../segments/definitions.store.ts';
import { momentOf } from '../../timeline/revision.ts';
import { segmentsAt } from '../../timeline/segments-at.ts';
import type { Facts } from '../../timeline/facts.ts';
import type { FactsRead, FactsStore } from '../facts.store.ts';
import type { Followed } from '../follower.service.ts';
import type { HoldingReader, UserRead } from '../reader.ts';
import type { SettledStore } from '../settled.store.ts';
import { findOwner } from './owner.store.ts';
import { decode, encode, factsOf, type Value, valueAfter, valueOf } from './value.ts';
import type { ValuesStore } from './values.store.ts';

/** Values that Redis did not take are remembered up to this many; beyond, the oldest is forgotten. */
const mostOwed = 100_000;

/** What is owed is put in parts of this size, so that no call is long. */
const owedAtOnce = 500;

interface Found {
  readonly read: FactsRead;
  readonly value: Value;
}

/** A read before it is said in which segments the user is. */
interface Judged extends Omit<UserRead, 'segments'> {
  readonly facts: Facts;
}

/**
 * Reads from Redis, one key a user, judged by this process's definitions and the database's clock; what is not there or not
 * fresh enough is read from the database, once for all who wait, and put there. It always answers while the database does.
 */
export function redisReader(parts: {
  values: ValuesStore;
  facts: FactsStore;
  definitions: DefinitionsStore;
  settled: SettledStore;
  clock: DatabaseClock;
  maxStalenessSeconds: number;
  /** Told of a key that holds what no segmentd wrote, or speaks of segments that there are not. It is replaced. */
  onBroken: (userId: string) => void;
}) {
  const { values, facts, definitions, settled, clock, onBroken } = parts;
  const limitMs = parts.maxStalenessSeconds * 1000;
  /** Reads of the database under way. */
  const flights = new Map<string, Promise<Found>>();
  /** Values of changes that Redis did not take; older ones there are not used here, and it is tried again. */
  const owed = new Map<string, Value>();

  let owner: string | null | undefined;

  const put = async (userId: string, value: Value, instead?: string): Promise<boolean> => {
    // A key goes when its value is of no use any more.
    const livesMs = Math.ceil(limitMs - clock.ageOf(value.asOf));
    return livesMs <= 0 || values.put(userId, encode(value), livesMs, instead);
  };

  /** What a value says now; `undefined` when it is not fresh enough, null when it cannot be of this database. */
  const judge = async (userId: string, value: Value, minRevision: number): Promise<Judged | undefined | null> => {
    const newest = Math.max(value.asOf, momentOf(value.reached));
    // Further ahead than this process's clock can be behind. It must not be believed: no clock here is ever turned back.
    if (clock.ageOf(newest - 1_000) === 0) return null;
    if (value.reached < minRevision) return undefined;
    await definitions.atLeast(value.version);
    const held = definitions.held()!;
    if (held.definitions.version < value.version) return null;
    if (!value.stays.every(({ segmentId }) => held.definitions.byId.has(segmentId))) return null;
    clock.passed(newest); // else a stay that began there may not have begun here
    const ageMs = Math.max(clock.ageOf(value.asOf), clock.ageOf(held.asOf));
    if (ageMs >= limitMs) return undefined;
    return {
      facts: factsOf(userId, value, held.definitions),
      asOf: Math.min(value.asOf, held.asOf),
      revision: value.reached,
      ageMs,
    };
  };

  const begin = (userId: string, instead?: string): Promise<Found> => {
    const settledBefore = settled.known();
    const flight: Promise<Found> = facts
      .current(userId)
      .finally(() => {
        if (flights.get(userId) === flight) flights.delete(userId);
      })
      .then((read) => {
        const value = valueOf(read.facts, read.asOf, settledBefore);
        void put(userId, value, instead);
        return { read, value };
      });
    flights.set(userId, flight);
    return flight;
  };

  /** One read for all who wait. One that began before the question must have reached what is asked for; a later one has. */
  const readDatabase = async (userId: string, minRevision: number, instead?: string): Promise<Judged | undefined> => {
    const joined = flights.get(userId);
    let found = await (joined ?? begin(userId, instead));
    if (joined && found.value.reached < minRevision) found = await (flights.get(userId) ?? begin(userId, instead));
    if (minRevision > found.read.revision) return undefined; // the database reader says what is wrong with it
    return {
      facts: found.read.facts,
      asOf: found.read.asOf,
      // Not the clock after the read, which no value will reach for a while: who asks for this again finds it in Redis.
      revision: Math.max(found.value.reached, minRevision),
      ageMs: 0,
    };
  };

  const repay = async () => {
    const batch = [...owed].slice(0, owedAtOnce);
    await Promise.all(
      batch.map(async ([userId, value]) => {
        if ((await put(userId, value)) && owed.get(userId) === value) owed.delete(userId);
      }),
    );
  };

  const find = async (userId: string, minRevision: number): Promise<Judged | undefined> => {
    const needed = Math.max(minRevision, owed.get(userId)?.reached ?? 0);
    const text = await values.find(userId);
    if (text === null) return readDatabase(userId, needed);
    const value = decode(text);
    const answer = value ? await judge(userId, value, needed) : null;
    if (answer) return answer;
    if (answer === undefined) return readDatabase(userId, needed);
    onBroken(userId);
    return readDatabase(userId, needed, text);
  };

  const reader: HoldingReader & Followed = {
    async read(userId, minRevision) {
      const found = await find(userId, minRevision);
      if (!found) return undefined;
      const { facts: known, asOf, revision, ageMs } = found;
      return { segments: segmentsAt(known, clock.now()), asOf, revision, ageMs };
    },

    async factsOf(userId, minRevision) {
      const found = await find(userId, minRevision);
      return found && { facts: found.facts, now: clock.now(), ageMs: found.ageMs };
    },

    async put(changed) {
      const { userId } = changed;
      const value = valueAfter(changed);
      flights.delete(userId); // whoever asks from now on must not be answered by a read that began before
      const before = owed.get(userId);
      if (before && before.reached > value.reached) return;
      owed.delete(userId);
      owed.set(userId, value); // until Redis has it
      if (await put(userId, value)) {
        if (owed.get(userId) === value) owed.delete(userId);
      } else if (owed.size > mostOwed) owed.delete(owed.keys().next().value!);
    },

    async refresh(client: DatabaseClient, isNew: boolean) {
      // Each time: it also shows that the connection on which wakes come is still there.
      const found = await findOwner(client);
      if (isNew || found !== owner) {
        if (owner !== undefined && found !== owner) {
          definitions.forget();
          owed.clear();
        }
        owner = found;
        values.name(found);
      }
      await definitions.current();
      if (clock.now() - settled.known() > 1_000) await settled.look();
      if (owed.size > 0) await repay();
    },
  };
  return reader;
}
