import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

export type Metrics = ReturnType<typeof makeMetrics>;

/** The figures of one process, for Prometheus. One registry an app, so that tests can build several. */
export function makeMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    requests: new Histogram({
      name: 'segmentd_http_request_duration_seconds',
      help: 'Time from the last byte of a request head to the end of its answer, by route.',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers: [registry],
    }),
    staleDecisions: new Counter({
      name: 'segmentd_stale_decisions_total',
      help: 'Changes of a user that were decided anew because somebody else or the time was faster.',
      registers: [registry],
    }),
  };
}

/** Measures every request. The route's pattern is the label, so that ids do not become labels. */
export function measureRequests(app: FastifyInstance, { requests }: Metrics) {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
    requests.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
  });
}
