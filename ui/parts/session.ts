import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { OwnKey, Scope } from '../api/answers.ts';
import type { Client } from '../api/client.ts';

export interface Session {
  readonly client: Client;
  readonly key: OwnKey;
}

export const SessionContext = createContext<Session | null>(null);

/** Who is signed in. Only below the sign-in. */
export const useSession = (): Session => useContext(SessionContext)!;
export const useClient = (): Client => useSession().client;

/** Whether the key may change what is shown: what it may not is not offered. */
export const useMayWrite = (): boolean => ranks[useSession().key.scope] >= ranks.write;

const ranks: Record<Scope, number> = { evaluate: 0, read: 1, write: 2, admin: 3 };
