import { readSigned, signed } from '../access/signed.ts';
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

/** A signed text that carries the report and its expiry. */
export function signLink(secret: Buffer, report: LinkedReport, expiresAt: Moment): string {
  const { subject, month, timeZone, isForSpreadsheet } = report;
  const name = subject.kind === 'user' ? subject.userId : subject.kind === 'segment' ? subject.slug : null;
  return signed(secret, [subject.kind, name, month, timeZone, expiresAt, isForSpreadsheet] satisfies Claim);
}

/** The report of a link that this secret signed and that has not expired; `undefined` for any other text. */
export function readLink(secret: Buffer, token: string, now: Moment): LinkedReport | undefined {
  const content = readSigned(secret, token) as Claim | undefined;
  if (!content) return undefined;
  const [kind, name, month, timeZone, expiresAt, isForSpreadsheet = false] = content;
  return now < expiresAt ? { subject: subjectOf(kind, name), month, timeZone, isForSpreadsheet } : undefined;
}

function subjectOf(kind: ReportSubject['kind'], name: string | null): ReportSubject {
  if (kind === 'all') return { kind };
  return kind === 'user' ? { kind, userId: name! } : { kind, slug: name! };
}
