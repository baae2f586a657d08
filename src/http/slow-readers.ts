import { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Cuts who asks and then does not take the answer: a connection on which something waits to be sent, and of which no piece
 * was taken for so long. Node waits for such a reader for ever, and with it whatever the answer is made from. Files are sent
 * in pieces of 64 KiB, so the slowest reader that is borne takes one in the time.
 */
export function cutSlowReaders(app: FastifyInstance, limitMs: number) {
  const open = new Set<Socket>();
  const stalled = new Map<Socket, { taken: number; since: number }>();
  const keep = (socket: Socket) => {
    if (open.has(socket)) return;
    open.add(socket);
    socket.once('close', () => {
      open.delete(socket);
      stalled.delete(socket);
    });
  };
  for (const event of ['connection', 'secureConnection']) app.server.on(event, keep);
  // One that listens on a second address of `localhost` is another server, and tells its connections to nobody.
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    if (raw.socket instanceof Socket) keep(raw.socket);
    done();
  });

  const look = () => {
    const now = performance.now();
    for (const socket of open) {
      const waiting = socket.writableLength;
      const taken = socket.bytesWritten - waiting;
      const before = stalled.get(socket);
      if (waiting === 0) stalled.delete(socket);
      else if (before?.taken !== taken) stalled.set(socket, { taken, since: now });
      else if (now - before.since >= limitMs) socket.destroy();
    }
  };
  const timer = setInterval(look, limitMs / 4).unref();
  app.addHook('onClose', async () => clearInterval(timer));
}
