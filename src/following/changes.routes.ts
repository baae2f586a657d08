import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { Slug, UserId } from '../http/common.schemas.ts';
import type { EventStreams } from '../http/event-stream.ts';
import { answers } from '../http/problem.schemas.ts';
import { invalid } from '../http/problem.ts';
import type { ChangesService } from './changes.service.ts';
import { parsePosition, type Position } from './position.ts';

const position = { maxLength: 200, description: 'The `id` of an event: what follows it is told. Default: from now on.' };

const example = `retry: 1000
:
id: 1795428000000

event: segment
id: 1795428000125:1:
data: {"slug":"AVITO_NEW_CARD","change":"percent","percent":10,"ranges":[[0,1000]],"at":"2026-11-23T10:00:00.125Z","actor":"analytics"}

event: entry
id: 1795428000250:1:1000
data: {"user_id":"1000","at":"2026-11-23T10:00:00.250Z","segment":"AVITO_VOICE_MESSAGES","operation":"add","cause":"request","actor":"analytics"}

event: exit
id: 1795428060250:1:1000
data: {"user_id":"1000","at":"2026-11-23T10:01:00.250Z","segment":"AVITO_VOICE_MESSAGES","operation":"remove","cause":"ttl","actor":"analytics"}

`;

export function changeRoutes(changes: ChangesService, streams: EventStreams): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/v1/changes',
      {
        config: { scope: 'read', isEndless: true },
        schema: {
          operationId: 'followChanges',
          summary: 'Follow what happens',
          description:
            'Server-sent events, in the order of their moments, once these are final. `entry` and `exit` tell what the history tells, for all whose cause is not `rollout` or `segment_deleted`; those come as one `segment` event, and who needs their users asks lookup or history. Ends and planned starts come at their own moment. The `id` is a position: `Last-Event-ID` (which wins) or `after` goes on behind it without a gap or a repeat, as long as the log reaches back (`CHANGES_HOURS`). Comments keep the connection open. A reader that takes nothing for half a minute is cut, and goes on by its position.',
          tags: ['History'],
          headers: Type.Object({ 'last-event-id': Type.Optional(Type.String(position)) }),
          querystring: Type.Object(
            {
              after: Type.Optional(Type.String(position)),
              segment: Type.Optional({ ...Slug, description: 'Only of this segment, in all its lives.' }),
              user_id: Type.Optional({ ...UserId, description: 'Only of this user, and of segments, which concern everybody.' }),
            },
            { additionalProperties: false },
          ),
          response: {
            200: Type.Unsafe<Readable>({
              description: 'What happens, without an end',
              content: { 'text/event-stream': { schema: { type: 'string' }, example } },
            }),
            404: answers('segment_not_found'),
            410: answers('position_gone'),
          },
        },
      },
      async (request, reply) => {
        const { after, segment: slug, user_id: userId } = request.query;
        const lastId = request.headers['last-event-id'];
        const { accept } = request.headers;
        if (accept !== undefined && !takesEvents(accept))
          throw invalid(
            'accept',
            `must allow text/event-stream, which is all there is; got ${JSON.stringify(accept.slice(0, 60))}.`,
          );
        const from = [placeOf('last-event-id', lastId || undefined), placeOf('after', after)];
        const connecting = changes.open(from[0] ?? from[1], { slug, userId });
        const isHead = request.method === 'HEAD';
        const stream = isHead
          ? await connecting.then(() => Readable.from([]))
          : await streams.open(request.key!.name, connecting);
        void reply.type('text/event-stream').headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
        return stream;
      },
    );
  };
}

/** RFC 9110, section 12.5.1, but for weights other than 0. */
const takesEvents = (accept: string): boolean =>
  accept
    .split(',')
    .map((range) => range.split(';').map((part) => part.trim().toLowerCase()))
    .some(
      ([type, ...parameters]) =>
        /^(text\/event-stream|text\/\*|\*\/\*)$/.test(type!) && !parameters.some((one) => /^q=0(\.0*)?$/.test(one)),
    );

function placeOf(name: string, text: string | undefined): Position | undefined {
  if (text === undefined) return undefined;
  const place = parsePosition(text);
  if (!place) throw invalid(name, `must be the id of an event; got ${JSON.stringify(text.slice(0, 60))}.`);
  return place;
}
