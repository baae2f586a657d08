import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify';
import { elapsedMs } from './elapsed.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer of this route is a stream that ends with its reader: it is as long as it is. */
    isEndless?: boolean;
  }
}

export interface RequestLogOptions {
  /** A request that took longer is a warning. In milliseconds. */
  readonly slowMs: number;
  /** The share of the other requests that is logged too, from 0 to 1. */
  readonly sample: number;
}

interface RequestLine {
  readonly method: string;
  /** The pattern. */
  readonly route: string;
  /** Never the query. Left out where no key is asked for: there the path itself, a signed link, may be what lets in. */
  readonly path?: string;
  readonly reqId: string;
}

/**
 * Logs slow requests and a sample of the rest. Each of them would cost a third of the throughput; all are counted
 * (metrics.ts), and what fails on our side is logged where it is answered.
 */
export function logRequests(app: FastifyInstance, logger: FastifyBaseLogger, options: RequestLogOptions) {
  const log = lineWriter(logger, options);
  app.addHook('onResponse', (request, reply, done) => {
    if (!request.routeOptions.config?.isEndless) log(elapsedMs(request, reply), reply.statusCode, () => lineOf(request));
    done();
  });
}

/** The same for one request. Its line is made only where it is logged. */
export const lineWriter =
  (logger: FastifyBaseLogger, { slowMs, sample }: RequestLogOptions) =>
  (ms: number, status: number, line: () => RequestLine): void => {
    const isSlow = ms > slowMs;
    if (!isSlow && (status >= 500 || Math.random() >= sample)) return;
    const { reqId, ...rest } = line();
    const all = { ...rest, status, ms: Math.round(ms * 1000) / 1000, reqId };
    if (isSlow) logger.warn(all, 'a slow request');
    else logger.info(all, 'a request, as a sample');
  };

function lineOf(request: FastifyRequest): RequestLine {
  const { url: route, config } = request.routeOptions;
  return {
    method: request.method,
    route: route ?? 'unknown',
    ...(route !== undefined && config.scope === 'none' ? {} : { path: request.url.split('?', 1)[0]! }),
    reqId: request.id,
  };
}
