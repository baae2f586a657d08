import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type Failure, failureOf } from '../db/failures.ts';
import { Problem, type ProblemCode, problems } from './problem.ts';

/** Seconds after which asking again may help. */
const retryAfter: Partial<Record<ProblemCode, number>> = {
  database_unavailable: 2,
  stale_read_refused: 2,
  moment_not_settled: 1,
  definitions_busy: 1,
  clock_behind: 5,
  overloaded: 2,
};

/** Answers any thrown error as problem+json. What is not a `Problem` is logged whole and answered masked. */
export function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const problem = beginAnswer(error, request, reply);
  return reply
    .type('application/problem+json')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(problemBody(problem, request.id));
}

/** All of such an answer but its body, for routes whose bodies have another form. */
export function beginAnswer(error: unknown, request: FastifyRequest, reply: FastifyReply): Problem {
  const problem = toProblem(error);
  const [status, title] = problems[problem.code];
  if (status >= 500 && !problem.isRoutine) request.log.error({ err: error, code: problem.code, reqId: request.id }, title);
  const seconds = problem.retryAfterSeconds ?? retryAfter[problem.code];
  if (seconds !== undefined) reply.header('retry-after', seconds);
  if (status === 401 || problem.code === 'forbidden') {
    reply.header(
      'www-authenticate',
      status === 401 ? 'Bearer realm="segmentd"' : 'Bearer realm="segmentd", error="insufficient_scope"',
    );
  }
  void reply.code(status);
  return problem;
}

/** The wire form of a problem. */
export function problemBody({ code, message, faults, details }: Problem, requestId: string) {
  const [status, title] = problems[code];
  const errors = faults.length > 0 ? { errors: faults } : {};
  return { type: `/problems/${code}`, title, status, detail: message, code, request_id: requestId, ...errors, ...details };
}

const ofDatabase: Record<NonNullable<Failure>, [ProblemCode, string]> = {
  unavailable: [
    'database_unavailable',
    'The database did not answer. A change may have been made or not: read before you repeat it.',
  ],
  overloaded: ['overloaded', 'The database took too long. Nothing was changed.'],
  clock_behind: ['clock_behind', 'The clock of the database is more than a second behind its own history. Nothing was changed.'],
};

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { code, statusCode, message } = (error ?? {}) as Partial<FastifyError>;
  // A connection that broke, but the client's.
  if (statusCode === 400 && code === 'ECONNRESET') return new Problem('invalid_request', 'The body broke off.', { cause: error });
  const failure = failureOf(error);
  if (failure) return new Problem(...ofDatabase[failure], { cause: error });
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Problem('body_too_large', 'The body is larger than 1,048,576 bytes.');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Problem('unsupported_media_type', 'Send application/json.');
  if (code === 'FST_ERR_BAD_URL') return new Problem('invalid_request', 'The path is not valid percent-encoded UTF-8.');
  if (statusCode === 503) return new Problem('overloaded', 'The service is overloaded. Nothing was changed.');
  if (statusCode === 400) return new Problem('invalid_request', message ?? 'The request is not valid.');
  return new Problem('internal_error', 'The failure is logged under this request id.', { cause: error });
}
