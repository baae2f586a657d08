import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { withHeaders } from '../http/responses.ts';
import type { Load } from '../http/load.ts';
import type { Metrics } from '../http/metrics.ts';

const tags = ['Operating'];
const ReadyBody = Type.Object({
  ready: Type.Boolean(),
  not_ready: Type.Array(Type.String(), { description: 'What is not ready.' }),
});

export function operatingRoutes(
  findObstacles: () => Promise<string[]>,
  load: Pick<Load, 'isFull'>,
  metrics: Metrics,
): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/healthz',
      {
        config: { scope: 'none', isVital: true },
        schema: {
          operationId: 'isAlive',
          summary: 'Whether the process lives',
          tags,
          response: { 200: Type.Object({ alive: Type.Literal(true) }) },
        },
      },
      async () => ({ alive: true as const }),
    );

    app.get(
      '/readyz',
      {
        config: { scope: 'none', isVital: true },
        schema: {
          operationId: 'isReady',
          summary: 'Whether reads and writes would be answered',
          tags,
          response: { 200: withHeaders('Ready', ReadyBody, {}), 503: withHeaders('Not ready', ReadyBody, {}) },
        },
      },
      async (_request, reply) => {
        const obstacles = load.isFull() ? ['this process refuses requests: it has too much to do'] : await findObstacles();
        const ready = obstacles.length === 0;
        return reply.code(ready ? 200 : 503).send({ ready, not_ready: obstacles });
      },
    );

    app.get(
      '/metrics',
      {
        config: { scope: 'read', isVital: true },
        schema: {
          operationId: 'readMetrics',
          summary: 'Figures for Prometheus',
          tags,
          response: {
            200: Type.Unsafe<string>({
              description: 'Text exposition format 0.0.4.',
              content: { 'text/plain': { schema: { type: 'string' } } },
            }),
          },
        },
      },
      async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
    );
  };
}
