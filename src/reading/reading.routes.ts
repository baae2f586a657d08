import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { toMoment, UserId } from '../http/common.schemas.ts';
import type { FastRoute } from '../http/fast-path.ts';
import { answers } from '../http/problem.schemas.ts';
import { invalid } from '../http/problem.ts';
import { withHeaders } from '../http/responses.ts';
import type { MembershipsService } from '../memberships/memberships.service.ts';
import {
  ageHeader,
  ageSeconds,
  lookupText,
  FreshnessQuery,
  LookedUpBody,
  LookupBody,
  presentSegments,
  SegmentsOfUserBody,
  segmentsText,
} from './reading.schemas.ts';
import type { UserRead } from './reader.ts';
import type { Freshness, ReadingService } from './reading.service.ts';

const tags = ['Users'];

const route = '/v1/users/:user_id/segments';

/** With an id that needs no decoding, and at most the one parameter. */
const plainUrl = /^\/v1\/users\/(?!\.{1,2}\/)([A-Za-z0-9._~@:+-]{1,128})\/segments(\?last_revision=true)?$/;

/** The read of one user in its plainest form, for the fast path. */
export const fastRead = (reading: ReadingService): FastRoute => ({
  method: 'GET',
  route,
  scope: 'read',
  isFor: (url) => url.startsWith('/v1/users/'),
  answer(url, onlyHeld) {
    const [, userId, exact] = plainUrl.exec(url) ?? [];
    if (userId === undefined) return undefined;
    const freshness = exact === undefined ? anyFreshness : lastRevision;
    const read = onlyHeld ? reading.heldOf([userId], freshness)?.[0] : reading.segmentsOf(userId, freshness);
    if (!read) return undefined;
    const present = (one: UserRead) => ({ body: segmentsText(userId, one), age: ageSeconds(one.ageMs) });
    return read instanceof Promise ? read.then(present) : present(read);
  },
});

/**
 * The reads of the hot path are sent as text: Fastify's serializer asks a validator which of "an array or null" it has
 * (measured for 1,000 users: 589 µs instead of 190). What it would leave out is not in the answer anyhow.
 */
const json = 'application/json; charset=utf-8';
const anyFreshness: Freshness = {};
const lastRevision: Freshness = { lastRevision: true };

/** Where users are: what product services ask on every page view. */
export function readingRoutes(reading: ReadingService, memberships: MembershipsService): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      route,
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'readSegmentsOfUser',
          summary: "Read a user's segments",
          tags,
          params: Type.Object({ user_id: UserId }),
          querystring: FreshnessQuery,
          response: {
            200: withHeaders('Where the user is', SegmentsOfUserBody, ageHeader),
            410: answers('history_dropped'),
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
          void reply.type(json).header('age', ageSeconds(one.ageMs));
          return segmentsText(user_id, one) as never;
        };
        return read instanceof Promise ? read.then(present) : present(read); // at once where it is in memory
      },
    );

    app.post(
      '/v1/lookup',
      {
        config: { scope: 'read' },
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
        return reply
          .header('age', ageSeconds(lookup.ageMs))
          .type(json)
          .send(lookupText(lookup) as never);
      },
    );
  };
}

const freshnessOf = (asked: { last_revision?: boolean; min_revision?: string }): Freshness => ({
  ...(asked.last_revision ? { lastRevision: true } : {}),
  ...(asked.min_revision === undefined ? {} : { minRevision: Number(asked.min_revision) }),
});
