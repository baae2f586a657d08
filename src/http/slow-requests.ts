import type { FastifyInstance } from 'fastify';

/**
 * Cuts who takes longer than this to send a body. Node's own limit (`requestTimeout`) knows no routes, and a file may take
 * as long as it needs while its bytes keep coming (`files.ts`); heads have Node's `headersTimeout`.
 */
export function cutSlowRequests(app: FastifyInstance, limitMs: number) {
  app.addHook('onRequest', (request, _reply, done) => {
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
    if (request.raw.readableEnded) return done(); // the fast path has it whole, and no end is still to come
    if (request.routeOptions.config?.takes !== undefined || (encoding === undefined && !(Number(length) > 0))) return done();
    const timer = setTimeout(() => request.raw.destroy(), limitMs).unref();
    const stop = () => clearTimeout(timer);
    request.raw.once('end', stop).once('close', stop);
    done();
  });
}
