import type { FastifyInstance } from 'fastify';
import findMyWay from 'find-my-way';
import { Problem } from './problem.ts';

/** More than a request's head can hold: the schema of a parameter says how long it may be, with a better message. */
export const maxParamLength = 100_000;

/**
 * Answers what no route takes, before a body is read: 404 `route_not_found`, or 405 `method_not_allowed` with `Allow`
 * where the path is known by other methods. To be called before the routes are registered.
 */
export function answerUnknownRoutes(app: FastifyInstance) {
  const paths = findMyWay({ maxParamLength });
  const known = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = known.get(url) ?? new Set();
    if (!known.has(url)) {
      known.set(url, methods);
      paths.on('GET', url, () => undefined, methods);
    }
    for (const name of [method].flat()) methods.add(name);
  });
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done();
    const path = request.url.split('?', 1)[0]!;
    const methods = paths.find('GET', path)?.store as Set<string> | undefined;
    if (!methods) throw new Problem('route_not_found', `There is no ${path}. See /docs.`);
    const allowed = [...methods].sort().join(', ');
    void reply.header('allow', allowed);
    throw new Problem(
      'method_not_allowed',
      `${request.method} is not known here; ${allowed} ${methods.size > 1 ? 'are' : 'is'}.`,
    );
  });
}
