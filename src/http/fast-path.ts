import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Scope } from '../access/key.ts';
import type { Admission } from './admission.ts';
import { tookBefore } from './elapsed.ts';
import type { Load } from './load.ts';
import type { Metrics } from './metrics.ts';
import { lineWriter, type RequestLogOptions } from './request-log.ts';
import { securityHeaders } from './security-headers.ts';

/** A success: JSON of ASCII characters alone, and how old it is at most, in whole seconds. */
export interface FastAnswer {
  readonly body: string;
  readonly age: number;
}

/** The plainest form of a GET that is a route of the framework too, which says the same of it. */
export interface FastRoute {
  /** The pattern that it is registered with. */
  readonly route: string;
  readonly scope: Scope;
  /**
   * `undefined`, or a failure at once: the framework is asked. With what it rejects the framework answers. `onlyHeld`: what
   * memory does not hold is not asked for elsewhere.
   */
  answer(url: string, onlyHeld: boolean): FastAnswer | Promise<FastAnswer> | undefined;
}

export interface FastPathParts {
  readonly isLetIn: Admission['isLetIn'];
  readonly load: Pick<Load, 'isFull' | 'begin'>;
  readonly metrics: Metrics;
  /** Whether pages of other origins are let in, which is the framework's to do. */
  readonly hasCors: boolean;
  readonly logger: FastifyBaseLogger;
  readonly requestLog: RequestLogOptions;
}

/** With what the framework is to answer a request that failed before it had it. */
const failures = new WeakMap<IncomingMessage, unknown>();

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
export function answerFirst(app: FastifyInstance, { route, scope, answer }: FastRoute, parts: FastPathParts) {
  const { isLetIn, hasCors, load, logger } = parts;
  const count = parts.metrics.requests.of('GET', route);
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

  // What was made with the server; one that listens on a second address of `localhost` is not this server and has its own.
  const [framework] = app.server.listeners('request') as [RequestListener];
  app.server.removeListener('request', framework);
  app.server.on('request', (request, response) => {
    const { method, url, headers } = request;
    const isPlain = method === 'GET' && headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
    const isCrossOrigin = hasCors && headers.origin !== undefined;
    if (!isPlain || isCrossOrigin || isClosing || !isLetIn(request, scope)) return framework(request, response);

    const startedAt = performance.now();
    const send = ({ body, age }: FastAnswer) => {
      const id = randomUUID();
      const head = ['x-request-id', id, 'age', `${age}`, 'content-length', `${body.length}`, ...common];
      response.writeHead(200, isClosing ? [...head, 'connection', 'close'] : head);
      response.end(body, 'latin1'); // a byte a character, in one piece with the head
      const ms = performance.now() - startedAt;
      count(200, ms / 1000);
      log(ms, 200, () => ({ method, route, path: pathOf(url!), reqId: id }));
    };
    let found;
    try {
      found = answer(url!, load.isFull());
    } catch {
      // The framework asks again, and answers what it meets.
    }
    if (found === undefined) return framework(request, response);
    if (!(found instanceof Promise)) return send(found);
    const end = load.begin();
    void found.finally(end).then(send, (error: unknown) => {
      failures.set(request, error);
      tookBefore(request, performance.now() - startedAt);
      framework(request, response);
    });
  });
}

const pathOf = (url: string): string => url.split('?', 1)[0]!;
