import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/**
 * Cuts who takes longer than this to send a body, and who sends on for longer than this after the answer. Node's own limit
 * (`requestTimeout`) knows no routes, and a file may take as long as it needs while its bytes keep coming (`files.ts`); heads
 * have Node's `headersTimeout`.
 */
export function cutSlowRequests(app: FastifyInstance, limitMs: number) {
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.raw.readableEnded) return done(); // the fast path has it whole, and no end is still to come
    if (request.routeOptions.config?.takes === undefined && hasBody(request.raw)) limit(request.raw, limitMs);
    done();
  });
  // What is refused before its body was read is answered at once, also where no hook sees it.
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (hasBody(request)) response.once('finish', () => void (request.complete || dropRest(request, limitMs)));
  });
}

/**
 * Reads what is still to come of a body that nobody wants, for so long at most: many senders look for an answer only when
 * they have sent all, and the connection can be used again. Who takes longer for it may not hear the answer.
 */
export function dropRest(request: IncomingMessage, limitMs: number) {
  limit(request, limitMs);
  request.resume(); // Node does it by itself only where nothing of the body was read
}

/** A request that has its answer hears no more of its connection, so that is asked too. */
function limit(request: IncomingMessage, limitMs: number) {
  const { socket } = request;
  const timer = setTimeout(() => request.destroy(), limitMs).unref();
  const stop = () => {
    clearTimeout(timer);
    request.off('end', stop);
    socket.off('close', stop);
  };
  request.once('end', stop);
  socket.once('close', stop);
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0;
