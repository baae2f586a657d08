import { stringify } from 'csv-stringify/sync';

/** Lines as RFC 4180 writes them, with CRLF. Values are never altered. */
export const csvLines = (lines: readonly (readonly (string | number)[])[]): string =>
  stringify(lines as (string | number)[][], { record_delimiter: '\r\n' });
