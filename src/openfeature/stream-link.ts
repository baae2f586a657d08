import { createHmac } from 'node:crypto';
import { readSigned, signed } from '../access/signed.ts';
import type { Moment } from '../timeline/facts.ts';

/** Whose stream it is, and by which key it was asked for. */
export interface StreamLink {
  readonly keyName: string;
  readonly userId: string;
}

type Claim = [keyName: string, userId: string, expiresAt: Moment];

/**
 * A link that says the same for as long as `ttlMs`, and can be followed at least that long from then on: so an answer that
 * names it stays the same, and its `ETag` too.
 */
export function signStreamLink(secret: Buffer, { keyName, userId }: StreamLink, now: Moment, ttlMs: number): string {
  const expiresAt = (Math.floor(now / ttlMs) + 2) * ttlMs;
  return signed(ownSecret(secret), [keyName, userId, expiresAt] satisfies Claim);
}

/** What a link stands for that this secret signed and that has not expired; `undefined` for any other text. */
export function readStreamLink(secret: Buffer, token: string, now: Moment): StreamLink | undefined {
  const [keyName, userId, expiresAt] = (readSigned(ownSecret(secret), token) ?? []) as Partial<Claim>;
  return expiresAt !== undefined && now < expiresAt ? { keyName: keyName!, userId: userId! } : undefined;
}

/** Not that of reports: what is signed for a stream, with a user id that a browser chose, must open no report. */
const ownSecret = (secret: Buffer): Buffer => createHmac('sha256', secret).update('streams of OpenFeature').digest();
