import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { failureOf } from '../db/failures.ts';
import { withHeaders } from '../http/responses.ts';
import type { Metrics } from './metrics.ts';
import type { DatabaseState } from './readiness.store.ts';

const tags = ['Operating'];
const ReadyBody = Type.Object({ ready: Type.Boolean(), not_ready: Type.Array(Type.String(), { description: 'What is not ready.' }) });

export function operatingRoutes(findState: () => Promise<DatabaseState>, metrics: Metrics): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/healthz',
      {
        config: { scope: 'none' },
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
        config: { scope: 'none' },
        schema: {
          operationId: 'isReady',
          summary: 'Whether reads and writes would be answered',
          tags,
          response: { 200: withHeaders('Ready', ReadyBody, {}), 503: withHeaders('Not ready', ReadyBody, {}) },
        },
      },
      async (request, reply) => {
        const reasons = await findState().then(reasonsOf, (error: unknown) => {
          if (!failureOf(error)) request.log.error({ err: error }, 'the readiness check failed');
          return ['the database does not answer'];
        });
        const isReady = reasons.length === 0;
        return reply.code(isReady ? 200 : 503).send({ ready: isReady, not_ready: reasons });
      },
    );

    app.get(
      '/metrics',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'readMetrics',
          summary: 'Figures for Prometheus',
          tags,
          response: {
            200: Type.Unsafe<string>({ description: 'Text exposition format 0.0.4.', content: { 'text/plain': { schema: { type: 'string' } } } }),
          },
        },
      },
      async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
    );
  };
}

/** What keeps a database in this state from being written safely. */
export const reasonsOf = ({ isWritable, isDurable }: DatabaseState): string[] => [
  ...(isWritable ? [] : ['the database is a standby or read-only']),
  ...(isDurable ? [] : ['synchronous_commit of the database is not on: a crash could lose what was acknowledged']),
];
