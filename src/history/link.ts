import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Moment } from '../timeline/facts.ts';

/** What a link stands for: a user's month. */
export interface LinkedReport {
  readonly userId: string;
  readonly month: string;
  readonly timeZone: string;
}

/**
 * A text that carries the report, its expiry and a signature: HMAC-SHA-256 (RFC 2104) over what precedes the dot. Nothing
 * is stored, so any process with the same secret can answer it. See docs/decisions/0005.
 */
export function signLink(secret: Buffer, { userId, month, timeZone }: LinkedReport, expiresAt: Moment): string {
  const claim = Buffer.from(JSON.stringify(['user', userId, month, timeZone, expiresAt])).toString('base64url');
  return `${claim}.${signatureOf(secret, claim).toString('base64url')}`;
}

/** The report of a link that this secret signed and that has not expired; `undefined` for any other text. */
export function readLink(secret: Buffer, token: string, now: Moment): LinkedReport | undefined {
  const [claim = '', signature = ''] = token.split('.');
  const expected = signatureOf(secret, claim);
  const presented = Buffer.from(signature, 'base64url');
  const isOurs = presented.length === expected.length && timingSafeEqual(presented, expected);
  // The text itself is compared too: base64url has several spellings of one signature.
  if (!isOurs || token !== `${claim}.${expected.toString('base64url')}`) return undefined;
  const [, userId, month, timeZone, expiresAt] = JSON.parse(Buffer.from(claim, 'base64url').toString()) as [
    string,
    string,
    string,
    string,
    Moment,
  ];
  return now < expiresAt ? { userId, month, timeZone } : undefined;
}

const signatureOf = (secret: Buffer, claim: string) => createHmac('sha256', secret).update(claim).digest();
