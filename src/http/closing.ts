import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';

/**
 * Lets a stop end as soon as the last request has its answer. Node closes the connections that are idle when a server
 * begins to close; one that becomes idle later would be kept alive for its next request until the time for a graceful
 * stop has run out. A request that comes on one of them meanwhile is refused with 503 `overloaded`. One on which nothing
 * was ever asked, as browsers and balancers open them, is not idle to Node, and is closed here.
 */
export function closeConnectionsWhenStopping(app: FastifyInstance, open: ReadonlySet<Socket>) {
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
  });
  // Known to us only when its handshake has ended, which may be later.
  app.server.on('secureConnection', (socket: Socket) => void (isClosing && socket.destroy()));
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
