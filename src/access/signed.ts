import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * A text that carries a content and a signature: HMAC-SHA-256 (RFC 2104) over what precedes the dot. Nothing is stored, so
 * any process with the same secret can read it. See docs/decisions/0005.
 */
export function signed(secret: Buffer, content: readonly unknown[]): string {
  const claim = Buffer.from(JSON.stringify(content)).toString('base64url');
  return `${claim}.${signatureOf(secret, claim).toString('base64url')}`;
}

/** The content of a text that this secret signed; `undefined` for any other text. */
export function readSigned(secret: Buffer, token: string): readonly unknown[] | undefined {
  const [claim = '', signature = ''] = token.split('.');
  const expected = signatureOf(secret, claim);
  const presented = Buffer.from(signature, 'base64url');
  const isOurs = presented.length === expected.length && timingSafeEqual(presented, expected);
  // The text itself is compared too: base64url has several spellings of one signature.
  if (!isOurs || token !== `${claim}.${expected.toString('base64url')}`) return undefined;
  return JSON.parse(Buffer.from(claim, 'base64url').toString()) as unknown[];
}

const signatureOf = (secret: Buffer, claim: string) => createHmac('sha256', secret).update(claim).digest();
