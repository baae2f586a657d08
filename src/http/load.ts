import underPressure from '@fastify/under-pressure';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify';
import type { Metrics } from './metrics.ts';
import { Problem } from './problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered also while the process refuses what is too much for it. */
    isVital?: boolean;
  }
  interface FastifyRequest {
    isUnderWay: boolean;
  }
}

export interface LoadOptions {
  /** Requests that a process works on at a time. Default 1,000. */
  readonly maxRequests?: number;
  /** How late its event loop may be on average, in milliseconds, in two samples in a row; 0: as late as it likes. Default 1,000. */
  readonly maxDelayMs?: number;
  /** How often that is looked at. Default 1,000. */
  readonly sampleMs?: number;
}

export type Load = Awaited<ReturnType<typeof shedLoad>>;

/** How often the log tells of refusals. */
const tellMs = 10_000;

/**
 * Refuses early, with 503 `overloaded`, what would only be answered too late: while the event loop is behind
 * (`@fastify/under-pressure`), before anything of a request is looked at; and above a number of requests that wait for
 * their answer, most of them for the database, once `countRequests` knows whose they are (docs/decisions/0019).
 *
 * An answer that is being sent counts no more: slow readers are not work. Refusals are counted and told in the log now and
 * then, since a line for each would be one more load.
 */
export async function shedLoad(app: FastifyInstance, options: LoadOptions, metrics: Metrics, logger: FastifyBaseLogger) {
  const { maxRequests = 1_000, maxDelayMs = 1_000, sampleMs = 1_000 } = options;
  let underWay = 0;
  let toldAt = -Infinity;
  /** Samples in a row in which it was late. One alone is a single long piece of work, such as the start, and no load. */
  let late = 0;
  const looking = setInterval(() => (late = app.isUnderPressure() ? late + 1 : 0), sampleMs).unref();
  app.addHook('onClose', async () => clearInterval(looking));
  const isBehind = () => late >= 2;
  metrics.watchLoad(() => underWay);

  const refuse = (message: string): never => {
    metrics.refusedRequests.inc();
    if (performance.now() - toldAt > tellMs) {
      toldAt = performance.now();
      logger.warn({ underWay, delayMs: Math.round(app.memoryUsage().eventLoopDelay) }, `requests are refused: ${message}`);
    }
    throw new Problem('overloaded', `${message} Nothing was changed; ask again.`, { isRoutine: true });
  };

  await app.register(underPressure, {
    maxEventLoopDelay: maxDelayMs,
    sampleInterval: sampleMs,
    pressureHandler: (request: FastifyRequest) => {
      if (isBehind() && !isVital(request)) refuse(`This process is more than ${maxDelayMs} ms behind.`);
    },
  });
  app.decorateRequest('isUnderWay', false);

  return {
    /** Whether what is not answered at once is refused. */
    isFull: (): boolean => underWay >= maxRequests || isBehind(),

    /** One more that is answered by no hook. To be told when it is answered. */
    begin(): () => void {
      underWay++;
      return () => void underWay--;
    },

    /** To be called after the hooks of authentication are added: whom no key lets in is refused for that. */
    countRequests() {
      const end = (request: FastifyRequest) => {
        if (request.isUnderWay) underWay--;
        request.isUnderWay = false;
      };
      app.addHook('onRequest', (request, reply, done) => {
        if (isVital(request) || request.raw.socket?.destroyed) return done(); // who has gone meanwhile is never answered
        if (underWay >= maxRequests) refuse(`This process works on ${maxRequests} requests already.`);
        request.isUnderWay = true;
        underWay++;
        reply.raw.once('close', () => end(request)); // also of whose body never came whole: it meets no other hook
        done();
      });
      app.addHook('onSend', (request, _reply, _payload, done) => {
        end(request);
        done();
      });
    },
  };
}

const isVital = (request: FastifyRequest): boolean => request.routeOptions.config.isVital === true;
