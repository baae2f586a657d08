import type { Socket } from 'node:net';
import { Server as TlsServer, TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { OpenSockets } from './open-sockets.ts';
import { Problem } from './problem.ts';

/** How often a stop looks for connections that nothing is answered on; a head that is on its way may take as long. */
const lookMs = 500;

/**
 * Lets a stop end as soon as the last request has its answer, and after `graceMs` in any case: whatever is open then is cut.
 * Node closes the connections that are idle when a server begins to close, which to it are those on which something was
 * answered. One that becomes idle later would be kept alive for its next request, and one on which nothing was asked, as
 * browsers and balancers open them, or half a head came, would be waited for. A request that comes meanwhile is refused with
 * 503 `overloaded`.
 */
export function closeConnectionsWhenStopping(app: FastifyInstance, open: OpenSockets, graceMs: number) {
  const isTls = app.server instanceof TlsServer;
  let isClosing = false;
  let timer: NodeJS.Timeout | undefined;
  app.addHook('preClose', async () => {
    isClosing = true;
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
    const closingAt = performance.now();
    timer = setInterval(
      () => {
        const isOver = performance.now() - closingAt >= graceMs;
        for (const socket of open) if (isOver || (isRead(socket) && isAtRest(socket))) socket.destroy();
      },
      Math.min(lookMs, graceMs),
    ).unref();
  });
  app.addHook('onClose', async () => clearInterval(timer));
  /** Of https, not the one that carries another. */
  const isRead = (socket: Socket) => !isTls || socket instanceof TLSSocket;
  const isAtRest = (socket: Socket) => !open.isAsked(socket) && socket.writableLength === 0;
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
