import type { FastifyInstance } from 'fastify';

/**
 * Lets a stop end as soon as the last request has its answer. Node closes the connections that are idle when a server
 * begins to close; one that becomes idle later would be kept alive for its next request until the time for a graceful
 * stop has run out.
 */
export function closeConnectionsWhenStopping(app: FastifyInstance) {
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onResponse', async () => {
    if (isClosing) setImmediate(() => app.server.closeIdleConnections());
  });
}
