import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Counter, Gauge, type Metric, Registry } from 'prom-client';
import { elapsedMs } from './elapsed.ts';

export type Metrics = ReturnType<typeof makeMetrics>;

/** The figures of one process, for Prometheus. One registry an app, so that tests can build several. */
export function makeMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = requestDurations();
  registry.registerMetric(requests.metric);
  return {
    registry,
    requests,
    staleDecisions: new Counter({
      name: 'segmentd_stale_decisions_total',
      help: 'Changes of a user that were decided anew because somebody else or the time was faster.',
      registers: [registry],
    }),
    refusedRequests: new Counter({
      name: 'segmentd_refused_requests_total',
      help: 'Requests that were answered 503 overloaded before anything was done for them, since this process had too much to do.',
      registers: [registry],
    }),
    /** Shows how many requests wait for their answer. */
    watchLoad(underWay: () => number) {
      registry.registerMetric(
        new Gauge({
          name: 'segmentd_requests_under_way',
          help: 'Requests that wait for their answer. At MAX_REQUESTS more are refused.',
          registers: [],
          collect() {
            this.set(underWay());
          },
        }),
      );
    },
    strayRows: new Gauge({
      name: 'segmentd_past_memberships_default_rows',
      help: 'Rows of history that lie in no month of their own. More than 0 for an hour: housekeeping does not come to it.',
      registers: [registry],
    }),
  };
}

/** Measures every request. The route's pattern is the label, so that ids do not become labels. */
export function measureRequests(app: FastifyInstance, { requests }: Metrics) {
  // The route is told once, when it is registered: asked of a request, Fastify makes an object of it each time.
  app.addHook('onRoute', (route) => {
    const byMethod = new Map([route.method].flat().map((method) => [method, requests.of(method, route.url)]));
    route.onResponse = [
      (request, reply, done) => {
        if (!route.config?.isEndless || reply.statusCode >= 400)
          byMethod.get(request.method)!(reply.statusCode, elapsedMs(request, reply) / 1000);
        done();
      },
      ...[route.onResponse ?? []].flat(),
    ];
  });
  app.addHook('onResponse', (request, reply, done) => {
    if (request.is404) requests.of(request.method, 'unknown')(reply.statusCode, elapsedMs(request, reply) / 1000);
    done();
  });
}

/** Upper bounds in seconds. A read that is answered from memory takes less than a tenth of a millisecond. */
const bounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

interface Series {
  readonly labels: { readonly method: string; readonly route: string; readonly status: number };
  /** How many took up to each bound and longer than the one before; the last place is for those above all. */
  readonly counts: Float64Array;
  sum: number;
}

/**
 * The histogram of requests, counted in typed arrays and put together when it is asked for. The library's own makes its
 * labels into a text and looks that up at each observation.
 */
function requestDurations() {
  const name = 'segmentd_http_request_duration_seconds';
  const all = new Map<string, Map<number, Series>>();

  const valuesOf = ({ labels, counts, sum }: Series) => {
    let count = 0;
    const buckets = [...bounds, '+Inf'].map((le, i) => {
      count += counts[i]!;
      return { labels: { le, ...labels }, value: count, metricName: `${name}_bucket` };
    });
    return [...buckets, { labels, value: sum, metricName: `${name}_sum` }, { labels, value: count, metricName: `${name}_count` }];
  };

  const metric = {
    name,
    get: async () => ({
      name,
      help: 'Time from the last byte of a request head to the end of its answer, by route.',
      type: 'histogram',
      aggregator: 'sum',
      values: [...all.values()].flatMap((ofRoute) => [...ofRoute.values()].flatMap(valuesOf)),
    }),
  };

  return {
    /** What the registry takes: it asks for no more than this of a metric, whatever its types say. */
    metric: metric as unknown as Metric,

    /** Counts the requests of one method and route: by status and seconds. */
    of(method: string, route: string) {
      const key = `${method} ${route}`;
      const ofRoute = all.get(key) ?? new Map<number, Series>();
      all.set(key, ofRoute);
      return (status: number, seconds: number) => {
        let series = ofRoute.get(status);
        if (!series) {
          series = { labels: { method, route, status }, counts: new Float64Array(bounds.length + 1), sum: 0 };
          ofRoute.set(status, series);
        }
        let i = 0;
        while (i < bounds.length && seconds > bounds[i]!) i++;
        series.counts[i]!++;
        series.sum += seconds;
      };
    },
  };
}
