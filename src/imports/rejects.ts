import { stringify } from 'csv-stringify/sync';

const csv = (lines: (string | number)[][]) => stringify(lines, { record_delimiter: '\r\n' });

/** RFC 4180 with CRLF: a header line, then a line for each rejected row. */
export async function* rejectsCsv(
  pages: AsyncIterable<readonly { line: number; value: string; reason: string }[]>,
): AsyncGenerator<string> {
  yield csv([['line', 'value', 'reason']]);
  for await (const page of pages) yield csv(page.map(({ line, value, reason }) => [line, value, reason]));
}
