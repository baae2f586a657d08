import { createHash, type Hash } from 'node:crypto';

/** SHA-256 over what is asked with a file and then over the file: a repeat under an `Idempotency-Key` has the same. */
export const fingerprint = (asked: readonly unknown[]): Hash => createHash('sha256').update(JSON.stringify(asked));
