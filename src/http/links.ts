import type { FastifyRequest } from 'fastify';
import { invalid } from './problem.ts';

export interface LinkOptions {
  readonly secret: Buffer;
  readonly ttlSeconds: number;
  /** What links begin with; null: the scheme and host of the request. */
  readonly publicUrl: string | null;
}

/** What the links of an answer begin with. 400 where the request would have to name a host and names none. */
export function originOf({ protocol, host }: FastifyRequest, { publicUrl }: LinkOptions): string {
  if (publicUrl !== null) return publicUrl;
  if (!host) throw invalid('host', 'is missing, and PUBLIC_URL is not set: a link needs one of them.');
  // A proxy that is trusted may still hand on what its client said.
  const origin = `${protocol === 'https' ? 'https' : 'http'}://${host}`;
  if (!URL.canParse(origin) || /[/?#@\\]/.test(host)) throw invalid('host', 'is no host that a link could lead to.');
  return origin;
}
