import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import type { Key, Scope } from '../access/key.ts';
import type { Admission } from './admission.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key must be allowed to do here; `none` where no key is asked for. Every route says it. */
    scope?: Scope | 'none';
    /** Whether a key may come in the header `X-API-Key` too. */
    takesApiKey?: boolean;
  }
  interface FastifyRequest {
    /** The key of the request. */
    key: Key | null;
  }
}

/** The name of the key, for the history. Only on routes that ask for a key. */
export const actorOf = (request: FastifyRequest): string => request.key!.name;

/**
 * Checks the key of every request before anything else of it is looked at. A path that does not exist needs a key too, so
 * that nobody without one learns which do. A route that does not say its scope is refused when the app is built.
 */
export function authenticate(app: FastifyInstance, { keyOf }: Admission) {
  app.decorateRequest('key', null);
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => void routes.push(route));
  app.addHook('onReady', async () => {
    const silent = routes.find(({ config }) => !config?.scope);
    if (silent) throw new Error(`${String(silent.method)} ${silent.url} does not say which scope it needs`);
  });
  // A callback, not a promise: a key that is in memory is checked on the spot.
  app.addHook('onRequest', (request, _reply, done) => {
    const { scope = 'read', takesApiKey } = request.is404 ? {} : request.routeOptions.config;
    if (scope === 'none') return done();
    const found = keyOf(request, scope, takesApiKey);
    if (!(found instanceof Promise)) {
      request.key = found;
      return done();
    }
    // oxlint-disable-next-line promise/no-callback-in-promise, promise/always-return
    found.then((key) => ((request.key = key), done()), done);
  });
}
