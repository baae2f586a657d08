/** Every failure that a caller can meet: its HTTP status and title. Nothing else maps codes to statuses. */
export const problems = {
  invalid_request: [400, 'The request is not valid'],
  unauthorized: [401, 'A valid key is needed'],
  forbidden: [403, 'The key does not allow this'],
  link_invalid: [403, 'The link is not valid'],
  route_not_found: [404, 'No such path'],
  segment_not_found: [404, 'No such segment'],
  import_not_found: [404, 'No such import'],
  scheduled_change_not_found: [404, 'No such scheduled change'],
  key_not_found: [404, 'No such key'],
  method_not_allowed: [405, 'The path does not know this method'],
  segment_exists: [409, 'The slug is taken by a living segment'],
  group_full: [409, 'The exclusive group has no room'],
  group_conflict: [409, 'The user is in another segment of the exclusive group'],
  idempotency_key_reused: [409, 'The Idempotency-Key belongs to another import'],
  key_exists: [409, 'The name was given to a key before'],
  history_dropped: [410, 'The moment lies before the history that is kept'],
  position_gone: [410, 'The log of changes reaches no longer back to the position'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body is not of a known type'],
  rate_limited: [429, 'Too many requests'],
  internal_error: [500, 'Something failed on our side'],
  database_unavailable: [503, 'The database does not answer'],
  stale_read_refused: [503, 'Nothing fresh enough is at hand'],
  moment_not_settled: [503, 'The moment is too recent for a final answer'],
  definitions_busy: [503, 'Too many changes of segments at once'],
  clock_behind: [503, 'The clock of the database is behind its own history'],
  overloaded: [503, 'Too much to do'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof problems;

/** One of several things that are wrong. `path` is a field of the body (`add/3`), a parameter, or empty for the whole. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** What some failures say besides: extension members of RFC 9457. */
export interface ProblemDetails {
  /** Of `group_full`: the percentage that nobody holds or has reserved from then on, and who has the rest. */
  readonly free?: number;
  readonly holders?: readonly { readonly slug: string; readonly percent: number }[];
  /** Of `group_conflict`: the segments in the way. */
  readonly conflicts?: readonly string[];
}

/** A failure with a stable code. `message` is written for the caller, `cause` for the log. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly faults: readonly Fault[];
  readonly details: ProblemDetails;
  /** Where it differs from that of the code. */
  readonly retryAfterSeconds: number | undefined;
  /** A limit doing what it is for, rather than a failure: the log does not tell of each. */
  readonly isRoutine: boolean;

  constructor(
    code: ProblemCode,
    message: string,
    options: ErrorOptions & {
      faults?: readonly Fault[];
      details?: ProblemDetails;
      retryAfterSeconds?: number;
      isRoutine?: boolean;
    } = {},
  ) {
    super(message, options);
    this.code = code;
    this.faults = options.faults ?? [];
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.isRoutine = options.isRoutine ?? false;
  }
}

/** The sender went away before the end of the file, so nobody hears this. */
export class BrokenOff extends Problem {
  constructor(cause: unknown) {
    super('invalid_request', 'The file broke off.', { cause });
  }
}

/** A request with one thing wrong. */
export const invalid = (path: string, message: string): Problem =>
  new Problem('invalid_request', path === '' ? message : `${path} ${message}`, { faults: [{ path, message }] });
