import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/**
 * Cuts who takes longer than this to send a body, and who sends on for longer than this after the answer. Node's own limit
 * (`requestTimeout`) knows no routes, and a file may take as long as it needs while its bytes keep coming (`files.ts`); heads
 * have Node's `headersTimeout`.
 */
export function cutSlowRequests(app: FastifyInstance, limitMs: number) {
  const limit = (request: IncomingMessage) => {
    const timer = setTimeout(() => request.destroy(), limitMs).unref();
    const stop = () => clearTimeout(timer);
    request.once('end', stop).once('close', stop);
  };
  app.addHook('onRequest', (request, _reply, done) => {
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
    if (request.raw.readableEnded) return done(); // the fast path has it whole, and no end is still to come
    if (request.routeOptions.config?.takes !== undefined || (encoding === undefined && !(Number(length) > 0))) return done();
    limit(request.raw);
    done();
  });
  // What is refused before its body was read is answered at once, also where no hook sees it. Node drops what still comes.
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
    if (length === undefined && encoding === undefined) return;
    response.once('finish', () => void (request.complete || limit(request)));
  });
}
