import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export interface RequestLogOptions {
  /** A request that took longer is a warning. In milliseconds. */
  readonly slowMs: number;
  /** The share of the other requests that is logged too, from 0 to 1. */
  readonly sample: number;
}

/**
 * Logs slow requests and a sample of the rest. Each of them would cost a third of the throughput; all are counted
 * (metrics.ts), and what fails on our side is logged where it is answered.
 */
export function logRequests(app: FastifyInstance, logger: FastifyBaseLogger, { slowMs, sample }: RequestLogOptions) {
  app.addHook('onResponse', (request, reply, done) => {
    if (reply.elapsedTime > slowMs) logger.warn(lineOf(request, reply), 'a slow request');
    else if (reply.statusCode < 500 && Math.random() < sample) logger.info(lineOf(request, reply), 'a request, as a sample');
    done();
  });
}

function lineOf(request: FastifyRequest, reply: FastifyReply) {
  const { url: route, config } = request.routeOptions;
  return {
    method: request.method,
    route: route ?? 'unknown',
    // Never the query, and no path where no key is asked for: there the path itself, a signed link, may be what lets in.
    ...(route !== undefined && config.scope === 'none' ? {} : { path: request.url.split('?', 1)[0] }),
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime * 1000) / 1000,
    reqId: request.id,
  };
}
