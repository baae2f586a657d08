/** What stops the work on an import in this process: it is over, another process has it, or this one is closing. */
export class Stopped extends Error {}
