import { once } from 'node:events';
import { check } from '../checking/checking.service.ts';
import { type Finding, findingLine, isWarning } from '../checking/finding.ts';
import { readConfig } from '../config.ts';
import { requireSchema } from '../db/migrate.ts';
import { connect } from './connect.ts';
import { progressLine, shower } from './progress.ts';

export interface CheckOptions {
  readonly json?: boolean | undefined;
}

/** A short check tells nothing of how far it is. */
const quietMs = 2_000;

/**
 * `check`: verifies the database that the configuration names, beside a running service or alone. What it finds goes to the
 * standard output, a line each, as JSON with `--json`; then a summary. The exit code: 0 nothing is violated, 1 something is.
 * That it could not check is thrown.
 */
export async function checkDatabase({ json = false }: CheckOptions, log: (line: string) => void): Promise<number> {
  const startedAt = performance.now();
  const show = shower(log);
  const { database, close } = await connect(readConfig(), 'join', log);
  try {
    await requireSchema(database.pool);
    const { tally, findings } = check(database);
    for await (const page of findings) {
      if (page.length > 0) show.end();
      for (const finding of page) await print(json ? jsonLine(finding) : findingLine(finding));
      const elapsedMs = performance.now() - startedAt;
      if (elapsedMs > quietMs) show(progressLine('checking', tally.users, null, elapsedMs));
    }
    show.end();
    const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
    const counts = { ...tally, seconds };
    await print(
      json
        ? JSON.stringify(counts)
        : Object.entries(counts)
            .map(([name, count]) => `${name}=${count}`)
            .join(' '),
    );
    return tally.violations > 0 ? 1 : 0;
  } finally {
    await close();
  }
}

const jsonLine = (finding: Finding) =>
  JSON.stringify({ rule: finding.rule, severity: isWarning(finding) ? 'warning' : 'violation', ...finding.rows });

/** Waits for a slow reader, so that millions of lines do not pile up in memory. */
async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
}
