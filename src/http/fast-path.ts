import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Scope } from '../access/key.ts';
import type { Admission } from './admission.ts';
import { tookBefore } from './elapsed.ts';
import type { Load } from './load.ts';
import type { Metrics } from './metrics.ts';
import type { OpenSockets } from './open-sockets.ts';
import { lineWriter, type RequestLogOptions } from './request-log.ts';
import { securityHeaders } from './security-headers.ts';

/** A success: JSON of ASCII characters alone, and how old it is at most, in whole seconds. */
export interface FastAnswer {
  readonly body: string;
  readonly age: number;
}

/** The plainest form of a request to a route of the framework too, which says the same of it. */
export interface FastRoute {
  readonly method: 'GET' | 'POST';
  /** The pattern that it is registered with. */
  readonly route: string;
  readonly scope: Scope;
  readonly takesApiKey?: boolean;
  /** Whether the address is a plain one of this route. */
  isFor(url: string): boolean;
  /**
   * `undefined`, or a failure at once: the framework is asked. With what it rejects the framework answers. `onlyHeld`: what
   * memory does not hold is not asked for elsewhere. `body`: of a POST, whole.
   */
  answer(url: string, onlyHeld: boolean, body: Buffer): FastAnswer | Promise<FastAnswer> | undefined;
}

export interface FastPathParts {
  readonly isLetIn: Admission['isLetIn'];
  readonly load: Pick<Load, 'isFull' | 'begin'>;
  readonly open: Pick<OpenSockets, 'count'>;
  readonly metrics: Metrics;
  /** Whether pages of other origins are let in, which is the framework's to do. */
  readonly hasCors: boolean;
  readonly logger: FastifyBaseLogger;
  readonly requestLog: RequestLogOptions;
}

/** With what the framework is to answer a request that failed before it had it. */
const failures = new WeakMap<IncomingMessage, unknown>();

/** A body that is longer is left to the framework. */
const maxBodyBytes = 16_384;
const noBody = Buffer.alloc(0);

/**
 * Answers the hottest reads before the framework makes its objects for them, which costs more than all the rest of such a
 * read (docs/decisions/0013). Whatever is out of the ordinary, a key that memory does not let in or that asks too often, a
 * failure, a stop of the process, is left to the framework, so that it is answered in one place.
 *
 * While the process has too much to do, what memory holds is answered still: that is cheaper than any refusal
 * (docs/decisions/0019). What would have to be waited for is refused.
 *
 * To be called after the hooks of authentication are added, so that a failure is told to nobody whom the key does not let in.
 */
export function answerFirst(app: FastifyInstance, routes: readonly FastRoute[], parts: FastPathParts) {
  const { isLetIn, hasCors, load, open, logger } = parts;
  const known = routes.map((route) => ({ ...route, count: parts.metrics.requests.of(route.method, route.route) }));
  const log = lineWriter(logger, parts.requestLog);
  const common = [
    ...Object.entries(securityHeaders),
    ['content-type', 'application/json; charset=utf-8'],
    ...(hasCors ? [['vary', 'Origin']] : []),
  ].flat();

  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onRequest', (request, _reply, done) => done(failures.get(request.raw) as Error | undefined));

  const [framework] = app.server.listeners('request') as [RequestListener];
  app.server.removeListener('request', framework);
  app.server.on('request', (request, response) => {
    const { method, headers } = request;
    const url = request.url!;
    const fast = known.find((one) => one.method === method && one.isFor(url));
    const isCrossOrigin = hasCors && headers.origin !== undefined;
    if (!fast || isCrossOrigin || isClosing || !hasPlainBody(request)) return framework(request, response);
    if (!isLetIn(request, fast.scope, fast.takesApiKey)) return framework(request, response);

    const { route, count, answer } = fast;
    const startedAt = performance.now();
    const send = ({ body, age }: FastAnswer) => {
      const id = randomUUID();
      const head = ['x-request-id', id, 'age', `${age}`, 'content-length', `${body.length}`, ...common];
      response.writeHead(200, isClosing ? [...head, 'connection', 'close'] : head);
      response.end(body, 'latin1'); // a byte a character, in one piece with the head
      const ms = performance.now() - startedAt;
      count(200, ms / 1000);
      log(ms, 200, () => ({ method: method!, route, path: pathOf(url), reqId: id }));
    };
    const respond = (body: Buffer) => {
      let found;
      try {
        found = answer(url, load.isFull(), body);
      } catch {
        // The framework asks again, and answers what it meets.
      }
      if (found === undefined) {
        if (body.length > 0) request.unshift(body);
        return framework(request, response);
      }
      if (!(found instanceof Promise)) return send(found);
      const end = load.begin();
      open.count(request.socket, 1);
      const ended = found.finally(() => {
        end();
        open.count(request.socket, -1);
      });
      void ended.then(send, (error: unknown) => {
        failures.set(request, error);
        tookBefore(request, performance.now() - startedAt);
        framework(request, response);
      });
    };
    if (method === 'GET') return respond(noBody);
    // What came in one piece with the head has been read from the socket by then; for the rest the framework waits.
    process.nextTick(() => {
      const body = (request.read() as Buffer | null) ?? noBody;
      if (body.length === Number(headers['content-length'])) return respond(body);
      if (body.length > 0) request.unshift(body);
      framework(request, response);
    });
  });
}

/** None for a GET, short JSON for a POST. */
function hasPlainBody({ method, headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'content-type': type, 'content-encoding': encoding } = headers;
  if (headers['transfer-encoding'] !== undefined) return false;
  if (method === 'GET') return length === undefined;
  const isJson = type !== undefined && /^application\/json(; *charset=utf-8)?$/i.test(type);
  return isJson && encoding === undefined && Number(length) > 0 && Number(length) <= maxBodyBytes;
}

const pathOf = (url: string): string => url.split('?', 1)[0]!;
