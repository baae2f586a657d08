import { Problem } from '../http/problem.ts';
import { nameIsTaken, newKey, type Key, sha256Of } from './key.ts';
import type { KeysStore } from './keys.store.ts';

export type KeysService = ReturnType<typeof keysService>;

/** Keys made and revoked. `onRevoked` hears the name before the caller has its answer. */
export function keysService(keys: KeysStore, onRevoked: (name: string) => void) {
  return {
    list: keys.list,

    /** Its text, which is told this once: what is kept tells nobody. 409 `key_exists`. */
    async create(wanted: Key): Promise<string> {
      const key = newKey();
      const isMade = await keys.insert(wanted, sha256Of(key));
      if (!isMade) throw new Problem('key_exists', nameIsTaken(wanted.name));
      return key;
    },

    /** 404 `key_not_found`, also for one that was revoked before. */
    async revoke(name: string): Promise<void> {
      const isRevoked = await keys.revoke(name);
      if (!isRevoked) throw new Problem('key_not_found', `No living key is named ${name}.`);
      onRevoked(name);
    },
  };
}
