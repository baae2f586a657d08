import type { FastifyInstance } from 'fastify';

/** What pages of other origins may send, and read of an answer besides its body. */
const methods = 'GET, HEAD, POST, PATCH, DELETE';
const requestHeaders = 'Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-API-Key';
const exposedHeaders = 'Age, Allow, Content-Disposition, ETag, Location, Retry-After, Revision, X-Request-Id';
const preflightSeconds = 600;

/**
 * Lets pages of these origins ask, by the Fetch standard (https://fetch.spec.whatwg.org/#http-cors-protocol). Without
 * credentials: a key goes in a header, which the page sends itself. A preflight is answered before a key is asked for, as
 * browsers send none with it. To be called before authentication is added.
 *
 * `@fastify/cors` answers by a route for `OPTIONS` of every path, which would make each unknown path a known one.
 */
export function allowOrigins(app: FastifyInstance, origins: readonly string[]) {
  if (origins.length === 0) return;
  const allowed = new Set(origins);
  app.addHook('onRequest', (request, reply, done) => {
    const { origin, 'access-control-request-method': asked } = request.headers;
    void reply.header('vary', 'Origin');
    if (origin === undefined || !allowed.has(origin)) return done();
    void reply.header('access-control-allow-origin', origin);
    if (request.method !== 'OPTIONS' || asked === undefined) {
      void reply.header('access-control-expose-headers', exposedHeaders);
      return done();
    }
    void reply
      .code(204)
      .headers({
        'access-control-allow-methods': methods,
        'access-control-allow-headers': requestHeaders,
        'access-control-max-age': preflightSeconds,
      })
      .send();
  });
}
