import pg from 'pg';

/** What a failed call to the database means for whoever asked. `undefined`: a defect, to be logged whole. */
export type Failure = 'unavailable' | 'overloaded' | 'clock_behind' | undefined;

/** The server follows another one, or recovers: it can take no change, and what it holds may be old. */
export class StandbyError extends Error {
  constructor() {
    super('The database is a standby.');
  }
}

/** More is asked of the database than it answers in time. What was asked was not sent. */
export class BusyError extends Error {}

/**
 * SQLSTATE classes from the PostgreSQL manual, appendix A: 08 connection, 53 resources (a full disk, too many connections),
 * 58 the system under it, 57P01 to 57P05 shut down or starting, 25006 a standby; overloaded, with nothing changed: 53200 no
 * memory, 57014 a statement past its limit, 55P03 a lock past its own, 40001 and 40P01 a transaction that gave way. SD001
 * is ours (`revision_after`).
 */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof StandbyError) return 'unavailable';
  if (error instanceof BusyError) return 'overloaded';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error instanceof pg.DatabaseError) {
    if (code === 'SD001') return 'clock_behind';
    if (/^(57014|55P03|53200|40001|40P01)$/.test(code)) return 'overloaded';
    return /^(08|53|57P|58|25006|25P0[34]|28|3D000)/.test(code) ? 'unavailable' : undefined;
  }
  if (/^(ECONN|EPIPE|ENOENT|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN)/.test(code)) return 'unavailable';
  // The driver has no codes for what it says itself. The first is said of a pool without a free connection: nothing was sent.
  if (error.message === 'timeout exceeded when trying to connect') return 'overloaded';
  return /Connection terminated|Query read timeout|Client has encountered a connection error/.test(error.message)
    ? 'unavailable'
    : undefined;
}

/**
 * Whether the database answered that it did not carry out this statement: nothing of it was written, and the cause may lie
 * in what was asked. Not so for a server that shuts down or a lost connection, where it may have been carried out; nor for
 * a full disk and the like, which concern everybody.
 */
export const wasRefused = (error: unknown): boolean => error instanceof pg.DatabaseError && failureOf(error) !== 'unavailable';

/** The constraint that a statement broke, by its name in the migrations. */
export const brokenConstraint = (error: unknown): string | undefined =>
  error instanceof pg.DatabaseError ? error.constraint : undefined;
