import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What a request took before the framework had it, in milliseconds. */
const before = new WeakMap<IncomingMessage, number>();

export const tookBefore = (request: IncomingMessage, ms: number): void => void before.set(request, ms);

/** How long a request has taken, in milliseconds: from the last byte of its head on. */
export const elapsedMs = (request: FastifyRequest, reply: FastifyReply): number =>
  reply.elapsedTime + (before.get(request.raw) ?? 0);
