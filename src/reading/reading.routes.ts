import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { toMoment, UserId } from '../http/common.schemas.ts';
import { answers } from '../http/problem.schemas.ts';
import { invalid } from '../http/problem.ts';
import { withHeaders } from '../http/responses.ts';
import type { MembershipsService } from '../memberships/memberships.service.ts';
import {
  ageHeader,
  FreshnessQuery,
  LookedUpBody,
  LookupBody,
  presentLookup,
  presentSegments,
  SegmentsOfUserBody,
} from './reading.schemas.ts';
import type { UserRead } from './reader.ts';
import type { Freshness, ReadingService } from './reading.service.ts';

const tags = ['Users'];

/**
 * The two reads of the hot path are written by `JSON.stringify`: Fastify's serializer asks a validator which of "an array
 * or null" it has (measured for 1,000 users: 589 µs instead of 190). What it would leave out is not in the answer anyhow.
 */
const serializerCompiler = () => JSON.stringify;

/** Where users are: what product services ask on every page view. */
export function readingRoutes(reading: ReadingService, memberships: MembershipsService): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/v1/users/:user_id/segments',
      {
        config: { scope: 'read' },
        serializerCompiler,
        schema: {
          operationId: 'readSegmentsOfUser',
          summary: "Read a user's segments",
          tags,
          params: Type.Object({ user_id: UserId }),
          querystring: FreshnessQuery,
          response: {
            200: withHeaders('Where the user is', SegmentsOfUserBody, ageHeader),
            503: answers('stale_read_refused', 'moment_not_settled', 'database_unavailable'),
          },
        },
      },
      (request, reply) => {
        const { user_id } = request.params;
        const { at } = request.query;
        const freshness = freshnessOf(request.query);
        if (at !== undefined) {
          if (freshness.lastRevision || freshness.minRevision !== undefined)
            throw invalid('at', 'cannot be given together with last_revision or min_revision.');
          return memberships.segmentsAt(user_id, toMoment(at)).then((read) => presentSegments(user_id, read));
        }
        const read = reading.segmentsOf(user_id, freshness);
        const present = (one: UserRead) => {
          void reply.header('age', Math.floor(one.ageMs / 1000));
          return presentSegments(user_id, one);
        };
        return read instanceof Promise ? read.then(present) : present(read); // at once where it is in memory
      },
    );

    app.post(
      '/v1/lookup',
      {
        config: { scope: 'read' },
        serializerCompiler,
        schema: {
          operationId: 'lookUp',
          summary: 'Read the segments of up to 1,000 users',
          description: 'In the order asked; a user asked for twice is answered twice.',
          tags,
          body: LookupBody,
          response: {
            200: withHeaders('Where the users are', LookedUpBody, ageHeader),
            503: answers('stale_read_refused', 'database_unavailable'),
          },
        },
      },
      async (request, reply) => {
        const lookup = await reading.lookup(request.body.user_ids, freshnessOf(request.body));
        return reply.header('age', Math.floor(lookup.ageMs / 1000)).send(presentLookup(lookup));
      },
    );
  };
}

const freshnessOf = (asked: { last_revision?: boolean; min_revision?: string }): Freshness => ({
  ...(asked.last_revision ? { lastRevision: true } : {}),
  ...(asked.min_revision === undefined ? {} : { minRevision: Number(asked.min_revision) }),
});
