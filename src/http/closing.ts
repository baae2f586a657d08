import type { Socket } from 'node:net';
import { Server as TlsServer, TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { OpenSockets } from './open-sockets.ts';
import { Problem } from './problem.ts';

/** How often a stop looks for connections on which nothing is answered any more. */
const lookMs = 500;

/**
 * Lets a stop end as soon as the last request has its answer, and after `graceMs` in any case: whatever is open then is cut.
 * A request that comes meanwhile is refused with 503 `overloaded`.
 *
 * Node closes idle connections too when a server begins to close, but not those on which nothing was asked yet, as browsers
 * and balancers open them, or half a head came; nor those that become idle later; and it cuts an answer that is written and
 * not yet taken. So what is idle is told by us.
 */
export function closeConnectionsWhenStopping(app: FastifyInstance, open: OpenSockets, graceMs: number) {
  const { server } = app;
  const isTls = server instanceof TlsServer;
  let isClosing = false;
  let timer: NodeJS.Timeout | undefined;
  /** With https a connection that carries another is looked at only as long as nothing came on it, not even a handshake. */
  const isIdle = (socket: Socket) =>
    isTls && !(socket instanceof TLSSocket) ? socket.bytesRead === 0 : !open.isAsked(socket) && socket.writableLength === 0;
  server.closeIdleConnections = () => {
    for (const socket of open) if (isIdle(socket)) socket.destroy();
  };
  // Known to be one only when its handshake has ended, which may be later.
  server.on('secureConnection', (socket: Socket) => void (isClosing && socket.destroy()));

  app.addHook('preClose', async () => {
    isClosing = true;
    const closingAt = performance.now();
    timer = setInterval(
      () => {
        if (performance.now() - closingAt < graceMs) return server.closeIdleConnections();
        for (const socket of open) socket.destroy();
      },
      Math.min(lookMs, graceMs),
    ).unref();
  });
  app.addHook('onClose', async () => clearInterval(timer));
  app.addHook('onRequest', (_request, _reply, done) => {
    if (!isClosing) return done();
    throw new Problem('overloaded', 'This process is stopping. Nothing was changed; ask again.');
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing) void reply.header('connection', 'close');
    done();
  });
  app.addHook('onResponse', (_request, _reply, done) => {
    if (isClosing) setImmediate(() => server.closeIdleConnections());
    done();
  });
}
