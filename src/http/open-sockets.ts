import { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** The connections that are open: with https, each twice, as it came and as it is read. */
export function openSockets(app: FastifyInstance): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  const keep = (socket: Socket) => {
    if (open.has(socket)) return;
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  };
  for (const event of ['connection', 'secureConnection']) app.server.on(event, keep);
  // One that listens on a second address of `localhost` is another server, and tells its connections to nobody.
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    if (raw.socket instanceof Socket) keep(raw.socket);
    done();
  });
  return open;
}
