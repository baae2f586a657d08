// Loaded into a process of the service before it (`--import`). What it reads of the wall clock (`Date.now()`, `new Date()`) is
// off by the milliseconds in a file, which is read at the start and again on SIGWINCH (of which nobody else makes use): what a step of the machine's clock looks
// like to a process. The monotonic clock and timers are left alone, as such a step does.
import { readFileSync } from 'node:fs';

const file = process.env.STEPPED_CLOCK!;
const Real = Date;
let offsetMs = 0;
const read = () => {
  offsetMs = Number(readFileSync(file, 'utf8'));
};
read();
process.on('SIGWINCH', read);

globalThis.Date = class extends Real {
  constructor(...given: [] | [number]) {
    if (given.length === 0) super(Real.now() + offsetMs);
    else super(...given);
  }
  static override now() {
    return Real.now() + offsetMs;
  }
} as DateConstructor;
