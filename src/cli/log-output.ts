import { writeSync } from 'node:fs';

/** How long a line waits for a reader that is slow, once in a while: nothing else is done meanwhile. */
const patienceMs = 100;
const whileMs = 5_000;
const pauseMs = 5;

/**
 * The standard output for the log, which may be a disk that is full or a terminal that is gone: a line that cannot be written
 * is dropped, so that the service neither ends by it nor waits for it. Once lines can be written again it says how many were
 * dropped.
 */
export function logOutput(fd: number = process.stdout.fd): { write(line: string): void } {
  let dropped = 0;
  let waitedAt = -Infinity;
  return {
    write(line) {
      // Who did not take one line in time is not waited for by each of the next.
      if (dropped > 0 && !put(fd, lossLine(dropped), 0)) {
        dropped++;
        return;
      }
      const startedAt = performance.now();
      dropped = put(fd, line, startedAt - waitedAt < whileMs ? 0 : patienceMs) ? 0 : 1;
      if (performance.now() - startedAt >= pauseMs) waitedAt = startedAt;
    },
  };
}

/** On a line of its own, whatever was left of the last one. */
const lossLine = (dropped: number) =>
  `\n${JSON.stringify({ level: 40, time: Date.now(), msg: `${dropped} lines of the log could not be written` })}\n`;

/** Whether it was written, to the end. */
function put(fd: number, text: string, waitMs: number): boolean {
  let rest = Buffer.from(text);
  for (const giveUpAt = performance.now() + waitMs; ;) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
      if (rest.length === 0) return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() >= giveUpAt) return false;
      Atomics.wait(sleeper, 0, 0, pauseMs);
    }
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));
