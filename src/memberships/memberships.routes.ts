import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { actorOf } from '../http/authenticate.ts';
import { listParameters, momentText, revisionHeader, Slug, toMoment, UserId } from '../http/common.schemas.ts';
import { cursorsOf } from '../http/cursor.ts';
import { answers } from '../http/problem.schemas.ts';
import { withHeaders } from '../http/responses.ts';
import { At, presentSegments } from '../reading/reading.schemas.ts';
import { commandOf } from './command.ts';
import { ChangeBody, ChangedBody, presentStay, presentWhy, ToldBody, WhyBody } from './memberships.schemas.ts';
import type { MembershipsService } from './memberships.service.ts';

const tags = ['Users'];
const params = Type.Object({ user_id: UserId });
const cursors = cursorsOf('memberships', ['text', 'number']);

export function membershipRoutes(memberships: MembershipsService): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.patch(
      '/v1/users/:user_id/segments',
      {
        config: { scope: 'write' },
        schema: {
          operationId: 'changeSegmentsOfUser',
          summary: "Change a user's segments",
          description:
            'Everything or nothing, at one moment. Adding what the user has and removing what the user has not are no errors.',
          tags,
          params,
          body: ChangeBody,
          response: {
            200: withHeaders('What changed', ChangedBody, revisionHeader),
            404: answers('segment_not_found'),
            409: answers('group_conflict'),
          },
        },
      },
      async (request, reply) => {
        const { user_id } = request.params;
        const answer = await memberships.change(user_id, commandOf(request.body, actorOf(request)));
        const { added, removed, unchanged } = answer;
        const lists = { added: [...added], removed: [...removed], unchanged: [...unchanged] };
        return reply.header('revision', String(answer.revision)).send({ ...presentSegments(user_id, answer), ...lists });
      },
    );

    app.get(
      '/v1/users/:user_id/segments/:slug',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'explainMembership',
          summary: 'Why a user is in a segment, or not',
          tags,
          params: Type.Object({ user_id: UserId, slug: Slug }),
          querystring: Type.Object({ at: At }, { additionalProperties: false }),
          response: {
            200: WhyBody,
            404: answers('segment_not_found'),
            410: answers('history_dropped'),
            503: answers('moment_not_settled', 'database_unavailable'),
          },
        },
      },
      async (request) => {
        const { user_id, slug } = request.params;
        const { at } = request.query;
        return presentWhy(user_id, slug, await memberships.why(user_id, slug, at === undefined ? undefined : toMoment(at)));
      },
    );

    app.get(
      '/v1/users/:user_id/memberships',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listMemberships',
          summary: 'What was said of a user by hand',
          description: 'What stands and is planned; with `ended=true` what has ended, and by whom. By segment, then by start.',
          tags,
          params,
          querystring: Type.Object(
            { ended: Type.Optional(Type.Boolean({ default: false })), ...listParameters },
            { additionalProperties: false },
          ),
          response: { 200: ToldBody },
        },
      },
      async (request) => {
        const { ended = false, limit = 100, cursor } = request.query;
        const { stays, asOf, revision } = await memberships.told(request.params.user_id, ended);
        const [slug, startsAt] = cursor === undefined ? ['', -Infinity] : cursors.read(cursor);
        const rest = stays.filter((stay) => stay.slug > slug || (stay.slug === slug && stay.startsAt > startsAt));
        const shown = rest.slice(0, limit);
        const last = shown.at(-1);
        return {
          memberships: shown.map((stay) => presentStay(stay, ended)),
          next_cursor: last && rest.length > limit ? cursors.at(last.slug, last.startsAt) : null,
          as_of: momentText(asOf),
          revision: String(revision),
        };
      },
    );
  };
}
