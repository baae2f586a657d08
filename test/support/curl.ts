/**
 * What the README's commands use of curl, for machines that have none, such as the image of the tests. An option that is
 * not known here fails.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    silent: { type: 'boolean', short: 's' },
    request: { type: 'string', short: 'X' },
    header: { type: 'string', short: 'H', multiple: true, default: [] },
    data: { type: 'string', short: 'd' },
    output: { type: 'string', short: 'o', default: '/dev/stdout' },
    'no-buffer': { type: 'boolean', short: 'N' },
    'max-time': { type: 'string', short: 'm' },
    'write-out': { type: 'string', short: 'w', default: '' },
  },
});
const { data, header, output, 'max-time': maxSeconds } = values;
const signal = maxSeconds === undefined ? null : AbortSignal.timeout(Number(maxSeconds) * 1000);

for (const url of positionals.flatMap(expand)) {
  const answer = await fetch(url, {
    method: values.request ?? (data === undefined ? 'GET' : 'POST'),
    signal,
    headers: header.map((line) => line.split(/: */, 2) as [string, string]),
    ...(data === undefined ? {} : { body: data }),
  });
  if (output === '/dev/stdout') {
    try {
      for await (const piece of answer.body ?? []) process.stdout.write(piece);
    } catch (error) {
      if (!signal?.aborted) throw error;
      process.exitCode = 28; // as curl does
    }
  } else await writeFile(output, await answer.text());
  process.stdout.write(values['write-out'].replaceAll('%{http_code}', String(answer.status)).replaceAll(String.raw`\n`, '\n'));
}

/** One address for each number of a range such as `[1000-1099]`. */
function expand(url: string): string[] {
  const [range, from, to] = /\[(\d+)-(\d+)\]/.exec(url) ?? [];
  if (!range) return [url];
  return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => url.replace(range, String(Number(from) + i)));
}
