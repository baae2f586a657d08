import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { type Key, type Scope, scopes, sha256Of } from '../access/key.ts';
import { Problem } from './problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key must be allowed to do here; `none` where no key is asked for. Every route says it. */
    scope?: Scope | 'none';
  }
  interface FastifyRequest {
    /** The key of the request. */
    key: Key | null;
  }
}

/** The living key of that hash, or null. */
export type FindKey = (sha256: Buffer) => Promise<Key | null>;

/** The name of the key, for the history. Only on routes that ask for a key. */
export const actorOf = (request: FastifyRequest): string => request.key!.name;

/**
 * Checks the key of every request before anything else of it is looked at. A path that does not exist needs a key too, so
 * that nobody without one learns which do. A route that does not say its scope is refused when the app is built.
 */
export function authenticate(app: FastifyInstance, find: FindKey) {
  app.decorateRequest('key', null);
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => void routes.push(route));
  app.addHook('onReady', async () => {
    const silent = routes.find(({ config }) => !config?.scope);
    if (silent) throw new Error(`${String(silent.method)} ${silent.url} does not say which scope it needs`);
  });
  app.addHook('onRequest', async (request) => {
    const { scope = 'read' } = request.is404 ? {} : request.routeOptions.config;
    if (scope !== 'none') request.key = await keyOf(request, find, scope);
  });
}

/** 401 `unauthorized` without a living key, 403 `forbidden` without the scope. */
export async function keyOf(request: FastifyRequest, find: FindKey, scope: Scope): Promise<Key> {
  const [, presented] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
  if (!presented) throw new Problem('unauthorized', 'Send the header "Authorization: Bearer KEY".');
  const key = await find(sha256Of(presented));
  if (!key) throw new Problem('unauthorized', 'The key is not known, or was revoked.');
  if (scopes.indexOf(key.scope) < scopes.indexOf(scope)) {
    throw new Problem('forbidden', `This needs a key with the scope ${scope}; ${key.name} has ${key.scope}.`);
  }
  return key;
}
