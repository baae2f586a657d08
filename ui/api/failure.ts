export interface Fault {
  path: string;
  message: string;
}

export interface Problem {
  code: string;
  detail: string;
  request_id?: string;
  errors?: Fault[];
  free?: number;
  holders?: { slug: string; percent: number }[];
  conflicts?: string[];
}

/** What the service refused, or that it could not be reached (`code` is then `unreachable`). */
export class Failure extends Error {
  readonly status: number;
  readonly problem: Problem;
  readonly retryAfterSeconds: number | null;

  constructor(status: number, problem: Problem, retryAfterSeconds: number | null = null) {
    super(problem.detail);
    this.status = status;
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export const unreachable = (): Failure => new Failure(0, { code: 'unreachable', detail: 'The service does not answer.' });

/**
 * What an answer that is no success says. Not all that answers is the service: of what a proxy says instead, in whatever form,
 * the status is told.
 */
export const refusalOf = (status: number, body: unknown, retryAfterSeconds: number | null = null): Failure =>
  new Failure(
    status,
    { code: `http_${status}`, detail: `The service answered ${status}.`, ...(body as Partial<Problem> | null) },
    retryAfterSeconds,
  );

/** What was thrown, as a failure: whatever else is a defect of this page, and says so. */
export const failureOf = (error: unknown): Failure =>
  error instanceof Failure ? error : new Failure(0, { code: 'page_failed', detail: `This page failed: ${String(error)}` });

/** Of a field by its path in the request. */
export const faultAt = (failure: Failure | null, path: string): string | undefined =>
  failure?.problem.errors?.find((fault) => fault.path === path || fault.path.startsWith(`${path}/`))?.message;

const whatToDo: Record<string, string> = {
  unreachable: 'What you typed is still here. Look whether the service runs and your network is up, then try again.',
  page_failed: 'Reload the page. If it happens again, tell the developers what you did.',
  invalid_request: 'Correct what is named, then send it again.',
  unauthorized: 'Sign in with a key that lives.',
  forbidden: 'Ask for a key with that scope, or let somebody do it who has one.',
  segment_not_found: 'It may have been deleted meanwhile. Look it up under Segments.',
  import_not_found: 'It was pruned, or never was. Look at the list of imports.',
  scheduled_change_not_found: 'It has come into force or was cancelled meanwhile.',
  segment_exists: 'Take another slug, or use the segment that is there.',
  group_full: 'Lower another segment of the group first, or take a smaller percentage.',
  group_conflict: 'Take the user out of the other one first, or tick "make room in the group".',
  idempotency_key_reused: 'Drop the file again.',
  history_dropped: 'Ask about a later moment.',
  body_too_large: 'Split it into smaller parts.',
  unsupported_media_type: 'Take a file of text in UTF-8, an id a line.',
  rate_limited: 'Wait a moment, then try again.',
  internal_error: 'Try again. If it happens again, give the request id to whoever runs the service.',
  database_unavailable: 'A change may have been made or not: look before you repeat it.',
  stale_read_refused: 'Try again when the database is back.',
  moment_not_settled: 'Try again in a moment.',
  definitions_busy: 'Nothing was changed. Try again.',
  clock_behind: 'Tell whoever runs the database: its clock is wrong.',
  overloaded: 'Nothing was changed. Try again in a moment.',
};

/** What whoever reads of a failure can do about it. */
export const adviceFor = ({ problem }: Failure): string => whatToDo[problem.code] ?? 'Try again.';
