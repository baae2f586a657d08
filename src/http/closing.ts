import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';

/**
 * Lets a stop end as soon as the last request has its answer. Node closes the connections that are idle when a server
 * begins to close; one that becomes idle later would be kept alive for its next request until the time for a graceful
 * stop has run out. A request that comes on one of them meanwhile is refused with 503 `overloaded`.
 */
export function closeConnectionsWhenStopping(app: FastifyInstance) {
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onRequest', (_request, reply, done) => {
    if (!isClosing) return done();
    void reply.header('connection', 'close');
    throw new Problem('overloaded', 'This process is stopping. Nothing was changed; ask again.');
  });
  app.addHook('onResponse', (_request, _reply, done) => {
    if (isClosing) setImmediate(() => app.server.closeIdleConnections());
    done();
  });
}
