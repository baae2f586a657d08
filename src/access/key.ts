import { hash, randomBytes } from 'node:crypto';

/** What a key may do: each includes those before it. */
export const scopes = ['evaluate', 'read', 'write', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Whether who has one scope may do what needs another. */
export const covers = (has: Scope, needed: Scope): boolean => scopes.indexOf(has) >= scopes.indexOf(needed);

export interface Key {
  /** What the history shows as the actor. */
  readonly name: string;
  readonly scope: Scope;
}

/** A new key: 256 random bits behind a prefix by which secret scanners can know it. */
export const newKey = (): string => `sgd_${randomBytes(32).toString('base64url')}`;

/** What is stored of a key, in hexadecimal. A key has 256 bits of its own, so it needs neither salt nor a slow hash. */
export const sha256Of = (key: string): string => hash('sha256', key, 'hex');

/** 1 to 128 visible characters, since it is the actor in the history. */
export const keyNamePattern = '^[^\\p{C}\\p{Z}]{1,128}$';
const keyName = new RegExp(keyNamePattern, 'u');
export const isKeyName = (name: string): boolean => keyName.test(name);

/** Why a name is refused that a key bears or bore. */
export const nameIsTaken = (name: string): string =>
  `The name ${name} was given to a key before. A name is never given again, since the history shows it.`;
