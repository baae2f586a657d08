import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** The connections that are open: with https, each twice, as it came and as it is read. */
export interface OpenSockets extends Iterable<Socket> {
  /** One more request on it is being answered, or (-1) one less. */
  count(socket: Socket, by: 1 | -1): void;
  /** Whether a request on it is being answered. */
  isAsked(socket: Socket): boolean;
}

export function openSockets(app: FastifyInstance): OpenSockets {
  const open = new Set<Socket>();
  const requests = new WeakMap<Socket, number>();
  const isAsked = (socket: Socket) => (requests.get(socket) ?? 0) > 0;
  const count = (socket: Socket, by: number) => void requests.set(socket, (requests.get(socket) ?? 0) + by);

  for (const event of ['connection', 'secureConnection'])
    app.server.on(event, (socket: Socket) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    });
  // Until the answer has been sent to the last byte, or the connection is gone; a request may have lost its socket by then.
  app.addHook('onRequest', ({ raw: { socket } }, reply, done) => {
    count(socket, 1);
    reply.raw.once('close', () => count(socket, -1));
    done();
  });
  return { [Symbol.iterator]: () => open.values(), count, isAsked };
}
