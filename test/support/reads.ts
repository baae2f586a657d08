import { findOwner } from '../../src/reading/redis/owner.store.ts';
import type { Database } from '../../src/db/database.ts';

type Query = (config: { name?: string; values?: unknown[] }) => Promise<unknown>;

/** Counts of whom the database is asked for facts through this pool, and lets questions fail: those, or the ones named. */
export function countReads({ pool }: Database) {
  const counts = new Map<string, number>();
  let failure: { error: Error | undefined; names: RegExp } | undefined;
  wrap({ pool }, (config, query) => {
    const userIds = usersOf(config);
    if (failure?.error && failure.names.test(config.name ?? '')) return Promise.reject(failure.error);
    for (const userId of userIds) counts.set(userId, (counts.get(userId) ?? 0) + 1);
    return query(config);
  });
  return {
    of: (userId: string) => counts.get(userId) ?? 0,
    fail(error: Error | undefined, names = /^facts/) {
      failure = { error, names };
    },
  };
}

/** The next read of that user's facts is made at once and comes back when it is released. */
export function holdRead({ pool }: Pick<Database, 'pool'>, userId: string) {
  let release!: () => void;
  let begin!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  const begun = new Promise<void>((resolve) => (begin = resolve));
  let isHeld = false;
  wrap({ pool }, async (config, query) => {
    const answer = await query(config);
    if (isHeld || !usersOf(config).includes(userId)) return answer;
    isHeld = true;
    begin();
    await released;
    return answer;
  });
  return { begun, release };
}

function wrap(
  { pool }: Pick<Database, 'pool'>,
  around: (config: { name?: string; values?: unknown[] }, query: Query) => Promise<unknown>,
) {
  const query = pool.query.bind(pool) as unknown as Query;
  Object.assign(pool, {
    query: (...given: [never]) =>
      typeof given[0] === 'object' ? around(given[0], query) : (query as (...all: unknown[]) => unknown)(...given),
  });
}

const usersOf = ({ name, values }: { name?: string; values?: unknown[] }): string[] =>
  name === 'facts.current' ? (values![0] as string[]) : [];

/** What the keys of a database begin with in Redis. */
export async function keyOwner(database: Database): Promise<string> {
  const client = await database.connect();
  try {
    return (await findOwner(client))!;
  } finally {
    await client.end();
  }
}

export const keyIn = (owner: string, userId: string): string => `segmentd:1:${owner}:${userId}`;
