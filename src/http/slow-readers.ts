import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { OpenSockets } from './open-sockets.ts';

/**
 * Cuts who asks and then does not take the answer: a connection on which something waits to be sent, and of which no piece
 * was taken for so long. Node waits for such a reader for ever, and with it whatever the answer is made from. Files are sent
 * in pieces of 64 KiB, so the slowest reader that is borne takes one in the time.
 */
export function cutSlowReaders(app: FastifyInstance, open: OpenSockets, limitMs: number) {
  const stalled = new WeakMap<Socket, { taken: number; since: number }>();

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
