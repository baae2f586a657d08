import type { Database, DatabaseClient } from '../db/database.ts';
import type { Key } from './key.ts';
import type { KeysStore } from './keys.store.ts';

export interface KnownKeysOptions {
  readonly maxStalenessMs: number;
  /** Told of which names no key lives any more: whoever was let in for long with such a one is to go. */
  readonly onRevoked?: (isRevoked: (name: string) => boolean) => void;
}

/**
 * Every living key, held in memory by its hash, so that a request waits for no database. A key that memory does not know
 * is looked up, so one that another process has just made works at once; one that was revoked ends at once in the process
 * that revoked it, elsewhere when memory is refreshed. While the database is down memory goes on letting in whom it knows, up to the limit.
 */
export function knownKeys(store: KeysStore, { clock }: Pick<Database, 'clock'>, { maxStalenessMs, onRevoked }: KnownKeysOptions) {
  let held: ReadonlyMap<string, Key> = new Map();
  let names: ReadonlySet<string> = new Set();
  let changes: number | undefined;
  let asOf = 0;
  /** Revoked by this process: a load whose snapshot is older must not bring them back. A name is never given again. */
  const ended = new Set<string>();

  /** The living key of that hash, where memory knows it and is fresh enough. */
  const inMemory = (sha256: string): Key | undefined => {
    const key = held.get(sha256);
    return key && !ended.has(key.name) && clock.ageOf(asOf) <= maxStalenessMs ? key : undefined;
  };

  return {
    inMemory,

    /** The living key of that hash, or null. Comes at once where memory knows it. */
    find: (sha256: string): Key | Promise<Key | null> => inMemory(sha256) ?? store.find(sha256),

    /** Whether a key of that name lives. A name is never given again, so what it opened was opened by that key. */
    lives: (name: string): boolean | Promise<boolean> =>
      (!ended.has(name) && clock.ageOf(asOf) <= maxStalenessMs && names.has(name)) || store.lives(name),

    /** Told by who has revoked the key of that name: from now on it is asked for in the database. */
    forget(name: string): void {
      ended.add(name);
      onRevoked?.((other) => other === name);
    },

    /** To be called at each wake and once a second. On a new connection all is loaded, as the database may be another one. */
    async refresh(client: DatabaseClient, isNew: boolean): Promise<void> {
      const stamp = isNew ? undefined : await store.countChanges(client);
      if (stamp && stamp.changes === changes) {
        asOf = stamp.asOf;
        return;
      }
      const loaded = await store.listLiving(client);
      held = loaded.living;
      changes = loaded.changes;
      asOf = loaded.asOf;
      names = new Set([...held.values()].map(({ name }) => name));
      onRevoked?.((name) => !names.has(name));
    },
  };
}
