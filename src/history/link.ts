import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Moment } from '../timeline/facts.ts';

/** Whose events a report tells: of a user, of a segment (all lives of the slug), or of all. */
export type ReportSubject =
  | { readonly kind: 'user'; readonly userId: string }
  | { readonly kind: 'segment'; readonly slug: string }
  | { readonly kind: 'all' };

/** What a link stands for: a month. */
export interface LinkedReport {
  readonly subject: ReportSubject;
  readonly month: string;
  readonly timeZone: string;
  /** In the form in which a spreadsheet runs no cell as a formula. */
  readonly isForSpreadsheet: boolean;
}

/** The last one is missing in links from before there were reports for spreadsheets. */
type Claim = [
  kind: ReportSubject['kind'],
  name: string | null,
  month: string,
  timeZone: string,
  expiresAt: Moment,
  isForSpreadsheet?: boolean,
];

/**
 * A text that carries the report, its expiry and a signature: HMAC-SHA-256 (RFC 2104) over what precedes the dot. Nothing
 * is stored, so any process with the same secret can answer it. See docs/decisions/0005.
 */
export function signLink(secret: Buffer, report: LinkedReport, expiresAt: Moment): string {
  const { subject, month, timeZone, isForSpreadsheet } = report;
  const name = subject.kind === 'user' ? subject.userId : subject.kind === 'segment' ? subject.slug : null;
  const content: Claim = [subject.kind, name, month, timeZone, expiresAt, isForSpreadsheet];
  const claim = Buffer.from(JSON.stringify(content)).toString('base64url');
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
  const content = JSON.parse(Buffer.from(claim, 'base64url').toString()) as Claim;
  const [kind, name, month, timeZone, expiresAt, isForSpreadsheet = false] = content;
  return now < expiresAt ? { subject: subjectOf(kind, name), month, timeZone, isForSpreadsheet } : undefined;
}

function subjectOf(kind: ReportSubject['kind'], name: string | null): ReportSubject {
  if (kind === 'all') return { kind };
  return kind === 'user' ? { kind, userId: name! } : { kind, slug: name! };
}

const signatureOf = (secret: Buffer, claim: string) => createHmac('sha256', secret).update(claim).digest();
