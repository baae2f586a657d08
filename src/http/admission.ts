import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { covers, type Key, type Scope, sha256Of } from '../access/key.ts';
import { Problem } from './problem.ts';
import { networkOf, rateOf } from './rate.ts';

type MaybePromise<T> = T | Promise<T>;

export interface LimitOptions {
  /** Keys that are not known, of one address. Default: any number. */
  readonly failedKeysPerMinute?: number | null;
  /** Requests of one key, by what their route asks for. Default: any number. */
  readonly readsPerSecond?: number | null;
  readonly writesPerSecond?: number | null;
}

export interface AdmissionParts {
  /** The living key of that hash, or null. */
  find(sha256: string): MaybePromise<Key | null>;
  /** The living key of that hash, where memory knows it and is fresh enough. */
  held(sha256: string): Key | undefined;
  readonly limits: LimitOptions;
  /** Whether `X-Forwarded-For` may be what tells one address from another. */
  readonly trustsProxies: boolean;
}

export type Admission = ReturnType<typeof admission>;

/**
 * Who is let in, and how often. All limits count within this process.
 *
 * An address from which too many unknown keys came is answered 429, whatever key it sends: else a guess that is right would
 * be told from one that is wrong. But whoever was let in with a key from there before goes on with it, so that one client
 * with an old key does not shut out its neighbours, or all who come through one proxy.
 */
export function admission({ find, held, limits, trustsProxies }: AdmissionParts) {
  const failures = limits.failedKeysPerMinute ? rateOf(limits.failedKeysPerMinute, 60_000) : null;
  const proven = provenHeaders();

  const placeOf = ({ socket, headers }: IncomingMessage): string => {
    const forwarded = trustsProxies ? headers['x-forwarded-for'] : undefined;
    return forwarded === undefined ? (socket.remoteAddress ?? '') : `${socket.remoteAddress} ${String(forwarded)}`;
  };

  const guessing = guessesUnderWay();

  /**
   * Counts as a failure from the start, so that guesses sent at once are counted at once; what is answered says later
   * whether it was one. The same key sent at once is one guess. Where all that may fail are still being looked up, the next
   * one waits for them: a process that has just started holds no key in memory, and the keys of all who come through one
   * address then may all be right.
   */
  function attempt(request: FastifyRequest, sha256: string, isProven: boolean): MaybePromise<Settle> {
    if (!failures) return () => {};
    const network = networkOf(request.ip ?? ''); // of a client that has gone nothing is known
    if (isProven) return (outcome) => void (outcome === 'failed' && failures.take(network));
    if (guessing.has(network, sha256)) return () => {};
    const waitMs = failures.take(network);
    if (waitMs > 0) {
      const next = guessing.next(network);
      if (!next) throw tooMany(`Too many keys from ${network} were not known.`, waitMs);
      return next.then(() => attempt(request, sha256, isProven));
    }
    const end = guessing.begin(network, sha256);
    return (outcome, error) => {
      if (outcome !== 'failed') failures.giveBack(network);
      end(error);
    };
  }

  const rates = ratesOf(limits);

  return {
    /**
     * The key of a request, at once where it is in memory. 429 `rate_limited`, 401 `unauthorized` without a living key, 403
     * `forbidden` without the scope.
     */
    keyOf(request: FastifyRequest, scope: Scope, takesApiKey = false): MaybePromise<Key> {
      const authorization = authorizationOf(request.raw, takesApiKey);
      const place = placeOf(request.raw);
      const sha256 = proven.hashOf(authorization) ?? hashOf(authorization, takesApiKey);
      const isProven = proven.has(authorization, place);
      const judge = (settle: Settle, key: Key | null) => {
        settle(key ? 'right' : 'failed');
        if (!key) {
          proven.delete(authorization);
          throw new Problem('unauthorized', 'The key is not known, or was revoked.');
        }
        if (!isProven) proven.add(authorization, sha256, place);
        rates.spend(key.name, scope, request.raw);
        if (covers(key.scope, scope)) return key;
        throw new Problem('forbidden', `This needs a key with the scope ${scope}; ${key.name} has ${key.scope}.`);
      };
      const lookUp = (settle: Settle): MaybePromise<Key> => {
        const found = find(sha256);
        if (!(found instanceof Promise)) return judge(settle, found);
        return found.then(
          (key) => judge(settle, key),
          (error: unknown) => {
            settle('unanswered', error);
            throw error;
          },
        );
      };
      const begun = attempt(request, sha256, isProven);
      return begun instanceof Promise ? begun.then(lookUp) : lookUp(begun);
    },

    /** Counts what came by a link as a read of the key that the link stands for. 429 `rate_limited`. */
    countRead: (keyName: string): void => rates.spend(keyName, 'read'),

    /** Whether a request is let in at once: a key that came before from the same place, lives, has the scope and is within its rate. */
    isLetIn(raw: IncomingMessage, scope: Scope, takesApiKey = false): boolean {
      const authorization = authorizationOf(raw, takesApiKey);
      if (!proven.has(authorization, placeOf(raw))) return false;
      const key = held(proven.hashOf(authorization)!);
      return key !== undefined && covers(key.scope, scope) && rates.isWithin(raw, key, scope);
    },
  };
}

/** To be called once it is known what became of a guess; with the reason where nobody answered. */
type Settle = (outcome: 'right' | 'failed' | 'unanswered', error?: unknown) => void;

/** The keys that are being looked up, by the network that sent them. */
function guessesUnderWay() {
  const all = new Map<string, { hashes: Set<string>; next: PromiseWithResolvers<void> }>();
  return {
    has: (network: string, sha256: string): boolean => all.get(network)?.hashes.has(sha256) ?? false,

    /** When the next one of the network is over; fails with it where the database does not answer. `undefined`: there is none. */
    next: (network: string): Promise<void> | undefined => all.get(network)?.next.promise,

    begin(network: string, sha256: string): (error?: unknown) => void {
      const own = all.get(network) ?? { hashes: new Set<string>(), next: awaited() };
      all.set(network, own);
      own.hashes.add(sha256);
      return (error) => {
        own.hashes.delete(sha256);
        const { resolve, reject } = own.next;
        own.next = awaited();
        if (own.hashes.size === 0) all.delete(network);
        if (error === undefined) resolve();
        else reject(error);
      };
    },
  };
}

function awaited(): PromiseWithResolvers<void> {
  const one = Promise.withResolvers<void>();
  one.promise.catch(() => {}); // there need be nobody who waits
  return one;
}

/** What a request says of its key: in `Authorization`, or as it would there. */
function authorizationOf({ headers }: IncomingMessage, takesApiKey: boolean): string {
  const { authorization, 'x-api-key': apiKey } = headers;
  if (authorization !== undefined) return authorization;
  return takesApiKey && typeof apiKey === 'string' ? `Bearer ${apiKey}` : '';
}

function hashOf(authorization: string, takesApiKey: boolean): string {
  const [, presented] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  if (!presented)
    throw new Problem('unauthorized', `Send the header "Authorization: Bearer KEY"${takesApiKey ? ' or "X-API-Key: KEY"' : ''}.`);
  return sha256Of(presented);
}

const maxPlaces = 10_000;
const maxPlaceLength = 200;

/** Headers whose key was living when it came, with its hash and from where. Whether it still lives is not said here. */
function provenHeaders() {
  const all = new Map<string, { sha256: string; places: Set<string> }>();
  let places = 0;
  const forget = (authorization: string) => {
    places -= all.get(authorization)?.places.size ?? 0;
    all.delete(authorization);
  };
  return {
    has: (authorization: string, place: string): boolean => all.get(authorization)?.places.has(place) ?? false,
    hashOf: (authorization: string): string | undefined => all.get(authorization)?.sha256,
    delete: forget,

    add(authorization: string, sha256: string, place: string) {
      if (place.length > maxPlaceLength || all.get(authorization)?.places.has(place)) return;
      if (places >= maxPlaces) for (const one of all.keys()) forget(one);
      if (!all.has(authorization)) all.set(authorization, { sha256, places: new Set() });
      all.get(authorization)!.places.add(place);
      places++;
    },
  };
}

/** How often a key may ask. */
function ratesOf({ readsPerSecond, writesPerSecond }: LimitOptions) {
  const ofKind = (count: number | null | undefined, what: string) => (count ? { rate: rateOf(count, 1_000), count, what } : null);
  const [reads, writes] = [ofKind(readsPerSecond, 'reads'), ofKind(writesPerSecond, 'writes')];
  const kindOf = (scope: Scope) => (covers('read', scope) ? reads : writes);
  /** Requests that the fast path has counted, in case it hands them on. */
  const counted = new WeakSet<IncomingMessage>();
  return {
    spend(name: string, scope: Scope, raw?: IncomingMessage) {
      const kind = kindOf(scope);
      if (!kind || (raw && counted.has(raw))) return;
      const waitMs = kind.rate.take(name);
      if (waitMs > 0) throw tooMany(`The key ${name} may do ${kind.count} ${kind.what} a second.`, waitMs);
    },

    isWithin(raw: IncomingMessage, { name }: Key, scope: Scope): boolean {
      const kind = kindOf(scope);
      if (!kind) return true;
      const isWithin = kind.rate.take(name) === 0;
      if (isWithin) counted.add(raw);
      return isWithin;
    },
  };
}

const tooMany = (message: string, waitMs: number) =>
  new Problem('rate_limited', message, { retryAfterSeconds: Math.ceil(waitMs / 1000) });
