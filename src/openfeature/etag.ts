import { hash } from 'node:crypto';

/** A strong entity tag (RFC 9110, 8.8.3) of a body. */
export const etagOf = (body: string): string => `"${hash('sha256', body, 'base64url').slice(0, 22)}"`;

/** Whether an `If-None-Match` names the tag: RFC 9110, 13.1.2, by weak comparison. */
export const isNamedBy = (etag: string, ifNoneMatch: string | undefined): boolean =>
  ifNoneMatch !== undefined && ifNoneMatch.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')));
