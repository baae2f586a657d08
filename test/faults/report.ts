import type { RunReport } from './fault-run.ts';

/** A run in words. */
export function reportText(report: RunReport): string {
  const { seed, operations, faults, counts, changes, askedAgain, seconds, memory, lost, violations, told } = report;
  const list = (entries: ReadonlyMap<string, number>) =>
    [...entries]
      .toSorted((a, b) => (a[0] < b[0] ? -1 : 1))
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  const total = (entries: ReadonlyMap<string, number>) => [...entries.values()].reduce((sum, count) => sum + count, 0);
  return [
    `seed         ${seed}`,
    `operations   ${operations} (${list(counts.operations)})`,
    `faults       ${total(faults)} (${list(faults)})`,
    `acknowledged ${counts.outcomes.acknowledged}`,
    `refused      ${counts.outcomes.refused}, unknown ${counts.outcomes.unknown} (${list(counts.codes)})`,
    `changes      ${changes} of users, each explained by one request or import`,
    `asked again  ${askedAgain} answers about the past`,
    `time         ${Math.round(seconds.run)} s, check ${Math.round(seconds.check)} s; memory of the runner ${memory.middle} MiB in the middle, ${memory.end} MiB at the end`,
    `lost         ${lost}`,
    `violations   ${total(violations)}${violations.size > 0 ? ` (${list(violations)})` : ''}`,
    ...told.map((one) => `  ${one}`),
  ].join('\n');
}
