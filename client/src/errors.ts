import type { Problem } from './api.ts';

/** The stable codes of errors. A newer service may send one that is not among them. */
export type ProblemCode = Problem['code'];

/** The service refused, or failed. `message` is its text for a person. */
export class SegmentdError extends Error {
  override readonly name = 'SegmentdError';
  readonly code: ProblemCode;
  readonly status: number;
  /** Finds the request in the service's log. */
  readonly requestId: string;
  /** Each thing that is wrong, with its place: `add/3`. */
  readonly errors: readonly { readonly path: string; readonly message: string }[];
  /** The whole of what came, with `free`, `holders` and `conflicts` where the code has them. */
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.code = problem.code;
    this.status = problem.status;
    this.requestId = problem.request_id;
    this.errors = problem.errors ?? [];
    this.problem = problem;
  }
}

/**
 * Nothing of the service was heard. Why: `refused`, no connection was made; `connection`, it broke; `timeout`, the time that
 * was given is over; `answer`, something else answered, such as a proxy.
 */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  readonly reason: 'refused' | 'connection' | 'timeout' | 'answer';
  /** The HTTP status, where something else answered. */
  readonly status: number | undefined;

  constructor(reason: UnreachableError['reason'], message: string, options: ErrorOptions & { status?: number } = {}) {
    super(message, options);
    this.reason = reason;
    this.status = options.status;
  }

  /** Whether a change that was sent may have been made: read before you repeat it. */
  get mayBeApplied(): boolean {
    return this.reason !== 'refused';
  }
}

/** What keeps a connection from being made, so that nothing was sent. Of Node; browsers do not tell. */
const neverConnected = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/;

/** What `fetch` throws where it gets no answer. */
export function unreachable(error: unknown): UnreachableError {
  const { message, code = '' } = ((error as Error).cause ?? error) as { message?: string; code?: string };
  const reason = neverConnected.test(code) ? 'refused' : 'connection';
  return new UnreachableError(reason, `segmentd cannot be reached: ${message || code}`, { cause: error });
}

/** What an answer that is no success says. */
export function failureOf({ status, url }: Response, text: string): SegmentdError | UnreachableError {
  const problem = problemIn(text);
  if (problem) return new SegmentdError(problem);
  return new UnreachableError('answer', `${url} was answered ${status}, and not by segmentd`, { status });
}

function problemIn(text: string): Problem | undefined {
  try {
    const body = JSON.parse(text) as Partial<Problem> | null;
    return typeof body?.code === 'string' && typeof body.request_id === 'string' ? (body as Problem) : undefined;
  } catch {
    return undefined; // no JSON, so nothing that segmentd wrote
  }
}
