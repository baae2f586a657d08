import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { EventStreams } from '../http/event-stream.ts';
import type { LinkOptions } from '../http/links.ts';
import { answers } from '../http/problem.schemas.ts';
import { Problem } from '../http/problem.ts';
import type { Moment } from '../timeline/facts.ts';
import type { RefetchService } from './refetch.service.ts';
import { readStreamLink } from './stream-link.ts';

const example = `retry: 1000
:

data: {"type":"refetchEvaluation","lastModified":"2026-11-23T10:00:00.250Z"}

`;

export interface RefetchParts {
  readonly refetches: RefetchService;
  readonly streams: EventStreams;
  readonly links: LinkOptions;
  readonly now: () => Promise<Moment>;
  /** Whether a key of that name lives. */
  readonly lives: (keyName: string) => boolean | Promise<boolean>;
  /** Counts a read of a key of that name. */
  readonly countRead: (keyName: string) => void;
}

/** The stream that an answer to OpenFeature names. Browsers cannot send a key with it, so the link lets in. */
export function refetchRoutes({ refetches, streams, links, now, lives, countRead }: RefetchParts): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/ofrep/v1/streams/:token',
      {
        config: { scope: 'none', isEndless: true },
        schema: {
          operationId: 'followFlags',
          summary: "Hear when a user's flags may have changed",
          description:
            'Server-sent events, for providers of OpenFeature: `eventStreams` of an answer names it. `refetchEvaluation` comes first, and whenever anything was said of the user, came to its end or began, and when a segment was changed. It ends when the key is revoked with which the answer was asked for; its link cannot be followed any more then. Opening it counts as a read of that key.',
          tags: ['OpenFeature'],
          params: Type.Object({ token: Type.String({ description: 'As a link carries it.' }) }),
          response: {
            200: Type.Unsafe<Readable>({
              description: 'When to ask again, without an end',
              content: { 'text/event-stream': { schema: { type: 'string' }, example } },
            }),
            403: answers('link_invalid'),
            429: answers('rate_limited'),
            503: answers('database_unavailable', 'overloaded'),
          },
        },
      },
      async (request, reply) => {
        const link = readStreamLink(links.secret, request.params.token, await now());
        if (!link || !(await lives(link.keyName)))
          throw new Problem('link_invalid', 'The link was changed, has expired, or its key was revoked. Evaluate again.');
        countRead(link.keyName);
        void reply.type('text/event-stream').headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
        if (request.method === 'HEAD') return Readable.from([]);
        return streams.open(link.keyName, refetches.open(link.userId));
      },
    );
  };
}
