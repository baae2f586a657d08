import pg from 'pg';

/** What a failed call to the database means for whoever asked. `undefined`: a defect, to be logged whole. */
export type Failure = 'unavailable' | 'overloaded' | 'clock_behind' | undefined;

/**
 * SQLSTATE classes from the PostgreSQL manual, appendix A: 08 connection, 53300 too many connections, 57P01 to 57P05 shut
 * down or starting, 25006 a standby, XX000 does not belong here; 57014 a statement past its limit, 55P03 a lock past its
 * own. SD001 is ours (`revision_after`).
 */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error instanceof pg.DatabaseError) {
    if (code === 'SD001') return 'clock_behind';
    if (code === '57014' || code === '55P03' || code === '53200') return 'overloaded';
    return /^(08|57P|53300|25006|25P0[34]|28|3D000)/.test(code) ? 'unavailable' : undefined;
  }
  if (/^(ECONN|EPIPE|ENOENT|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN)/.test(code)) return 'unavailable';
  return /Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|connection timeout/i.test(
    error.message,
  )
    ? 'unavailable'
    : undefined;
}

/** The constraint that a statement broke, by its name in the migrations. */
export const brokenConstraint = (error: unknown): string | undefined =>
  error instanceof pg.DatabaseError ? error.constraint : undefined;
