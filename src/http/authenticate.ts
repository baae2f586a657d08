import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { covers, type Key, type Scope, sha256Of } from '../access/key.ts';
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

type MaybePromise<T> = T | Promise<T>;

/** The living key of that hash, or null. */
export type FindKey = (sha256: string) => MaybePromise<Key | null>;

/** The living key of that hash, where memory knows it and is fresh enough. */
export type HeldKey = (sha256: string) => Key | undefined;

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
  // A callback, not a promise: a key that is in memory is checked on the spot.
  app.addHook('onRequest', (request, _reply, done) => {
    const { scope = 'read' } = request.is404 ? {} : request.routeOptions.config;
    if (scope === 'none') return done();
    const found = keyOf(request, find, scope);
    if (!(found instanceof Promise)) {
      request.key = found;
      return done();
    }
    // oxlint-disable-next-line promise/no-callback-in-promise, promise/always-return
    found.then((key) => ((request.key = key), done()), done);
  });
}

/** 401 `unauthorized` without a living key, 403 `forbidden` without the scope. At once where the key is in memory. */
export function keyOf(request: FastifyRequest, find: FindKey, scope: Scope): MaybePromise<Key> {
  const { authorization = '' } = request.headers;
  const sha256 = hashes.get(authorization) ?? hashOf(authorization);
  const found = find(sha256);
  if (found instanceof Promise) return found.then((key) => allowed(key, scope));
  if (found) remember(authorization, sha256);
  return allowed(found, scope);
}

/** Whether memory lets it in: a key that came before, still lives and has the scope. */
export function isLetIn({ authorization = '' }: IncomingHttpHeaders, held: HeldKey, scope: Scope): boolean {
  const sha256 = hashes.get(authorization);
  const key = sha256 === undefined ? undefined : held(sha256);
  return key !== undefined && covers(key.scope, scope);
}

function hashOf(authorization: string): string {
  const [, presented] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  if (!presented) throw new Problem('unauthorized', 'Send the header "Authorization: Bearer KEY".');
  return sha256Of(presented);
}

/** Headers whose key was living, with its hash. */
const hashes = new Map<string, string>();
const maxHashes = 1_000;
function remember(authorization: string, sha256: string) {
  if (hashes.has(authorization)) return;
  if (hashes.size >= maxHashes) hashes.clear();
  hashes.set(authorization, sha256);
}

function allowed(key: Key | null, scope: Scope): Key {
  if (!key) throw new Problem('unauthorized', 'The key is not known, or was revoked.');
  if (!covers(key.scope, scope)) {
    throw new Problem('forbidden', `This needs a key with the scope ${scope}; ${key.name} has ${key.scope}.`);
  }
  return key;
}
