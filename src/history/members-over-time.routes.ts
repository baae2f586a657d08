import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { momentText, MomentText, Slug, toMoment } from '../http/common.schemas.ts';
import { answers } from '../http/problem.schemas.ts';
import { invalid } from '../http/problem.ts';
import type { MembersOverTimeService } from './members-over-time.service.ts';

const TimelineBody = Type.Object({
  points: Type.Array(
    Type.Object({ at: MomentText, members: Type.Integer({ minimum: 0, description: 'How many were in by hand.' }) }),
  ),
});

export function membersOverTimeRoutes(members: MembersOverTimeService): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/v1/segments/:slug/timeline',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'readTimeline',
          summary: 'How many were in by hand, over time',
          description:
            'At so many moments from `from` to `to`, both included, as evenly as whole milliseconds allow: of whichever life the slug had then, and 0 where it had none. Where `to` lies in the future the last one is the moment up to which everything is final.',
          tags: ['History'],
          params: Type.Object({ slug: Slug }),
          querystring: Type.Object(
            {
              from: MomentText,
              to: MomentText,
              points: Type.Optional(Type.Integer({ minimum: 2, maximum: 1000, default: 100 })),
            },
            { additionalProperties: false },
          ),
          response: {
            200: TimelineBody,
            404: answers('segment_not_found'),
            410: answers('history_dropped'),
            503: answers('moment_not_settled', 'database_unavailable'),
          },
        },
      },
      async (request) => {
        const { points = 100 } = request.query;
        const [from, to] = [toMoment(request.query.from), toMoment(request.query.to)];
        if (from >= to) throw invalid('to', `must be after from; got ${request.query.to}.`);
        const counted = await members.between(request.params.slug, { from, to }, points);
        return { points: counted.map(({ at, members: count }) => ({ at: momentText(at), members: count })) };
      },
    );
  };
}
