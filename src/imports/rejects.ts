import { csvLines } from '../http/csv.ts';

/** RFC 4180 with CRLF: a header line, then a line for each rejected row. */
export async function* rejectsCsv(
  pages: AsyncIterable<readonly { line: number; value: string; reason: string }[]>,
): AsyncGenerator<string> {
  yield csvLines([['line', 'value', 'reason']]);
  for await (const page of pages) yield csvLines(page.map(({ line, value, reason }) => [line, value, reason]));
}
