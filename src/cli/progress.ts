/** How far something is: rows, rate and time left, in one line that fits a terminal. `total` null: not known yet. */
export function progressLine(what: string, done: number, total: number | null, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? done / (elapsedMs / 1000) : 0;
  const count = done.toLocaleString('en');
  const speed = `${Math.round(rate).toLocaleString('en')}/s`;
  if (total === null) return `${what} ${count} rows  ${speed}`;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const bar = '█'.repeat(Math.floor(share * 24)).padEnd(24, '░');
  const left = rate > 0 && done < total ? `  ${durationText((total - done) / rate)} left` : '';
  return `${what} ${bar} ${Math.floor(share * 100)} %  ${count} of ${total.toLocaleString('en')} rows  ${speed}${left}`;
}

const durationText = (seconds: number) =>
  seconds < 60 ? `${Math.ceil(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`;

const units = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** `90`, `45s`, `30m`, `12h`, `2d`, `1w` in whole seconds; `undefined` for anything else, and for nothing at all. */
export function secondsOf(text: string): number | undefined {
  const [, number, unit = 's'] = /^([1-9]\d{0,9})([smhdw])?$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * units[unit as keyof typeof units];
}

/** On a terminal one line that is written over; elsewhere a line every few seconds. */
export function shower(log: (line: string) => void) {
  const isTerminal = process.stderr.isTTY;
  let shownAt = -Infinity;
  const show = (line: string) => {
    if (isTerminal) process.stderr.write(`\r\u{1b}[K${line}`);
    else if (performance.now() - shownAt >= 5_000) {
      shownAt = performance.now();
      log(line);
    }
  };
  show.end = () => void (isTerminal && process.stderr.write('\r\u{1b}[K'));
  return show;
}
