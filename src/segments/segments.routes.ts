import type { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { actorOf } from '../http/authenticate.ts';
import { listParameters, revisionHeader, Slug, toMoment } from '../http/common.schemas.ts';
import { csvFile } from '../http/csv-file.ts';
import type { AtOnce } from '../http/at-once.ts';
import { cursorsOf, pageOf } from '../http/cursor.ts';
import { invalid } from '../http/problem.ts';
import { answers } from '../http/problem.schemas.ts';
import { withHeaders } from '../http/responses.ts';
import { bucketsCovered } from '../rollout/ranges.ts';
import {
  CountedSegmentBody,
  DryRunQuery,
  MembersBody,
  NewSegmentBody,
  presentMember,
  presentPreview,
  presentSegment,
  PreviewBody,
  SegmentBody,
  SegmentChangeBody,
  SegmentsBody,
} from './segments.schemas.ts';
import type { CountedSegment, SegmentsService, WantedShare } from './segments.service.ts';

const tags = ['Segments'];
const params = Type.Object({ slug: Slug });
const segmentCursors = cursorsOf('segments', ['text']);
const memberCursors = cursorsOf('members', ['text']);

/** `downloads`: the large files that are sent at a time, of whatever kind. */
export function segmentRoutes(segments: SegmentsService, downloads: AtOnce): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/v1/segments',
      {
        config: { scope: 'write' },
        schema: {
          operationId: 'createSegment',
          summary: 'Create a segment',
          description: 'A deleted slug can be created again: a new segment, with nothing of its former life.',
          tags,
          body: NewSegmentBody,
          response: {
            201: withHeaders('The segment', SegmentBody, {
              ...revisionHeader,
              location: Type.String({ description: 'Its path.' }),
            }),
            409: answers('segment_exists', 'group_full'),
          },
        },
      },
      async (request, reply) => {
        const { slug, description = '', percent = 0, salt, exclusive_group: exclusiveGroup = null } = request.body;
        const buckets = bucketsOf(percent);
        const { segment, revision, moment } = await segments.create(
          { slug, description, exclusiveGroup, buckets, ...(salt === undefined ? {} : { salt }) },
          actorOf(request),
        );
        return reply
          .code(201)
          .headers({ location: `/v1/segments/${slug}`, revision: String(revision) })
          .send(presentSegment(segment, moment));
      },
    );

    app.get(
      '/v1/segments',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listSegments',
          summary: 'List segments',
          description: 'The living ones, in byte order of their slugs.',
          tags,
          querystring: Type.Object(
            {
              ...listParameters,
              prefix: Type.Optional(Type.String({ maxLength: 128, description: 'Only slugs that start so.' })),
              exclusive_group: Type.Optional({ ...Slug, description: 'Only those of this group.' }),
            },
            { additionalProperties: false },
          ),
          response: { 200: SegmentsBody },
        },
      },
      async (request) => {
        const { limit = 100, cursor, prefix = '', exclusive_group: group } = request.query;
        const [after] = cursor === undefined ? [''] : segmentCursors.read(cursor);
        const found = await segments.list({ prefix, ...(group === undefined ? {} : { group }), after, limit: limit + 1 });
        const { shown, nextCursor } = pageOf(found, limit, ({ segment }) => segmentCursors.at(segment.slug));
        return { segments: shown.map(presentCounted), next_cursor: nextCursor };
      },
    );

    app.get(
      '/v1/segments/:slug',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'readSegment',
          summary: 'Read a segment',
          tags,
          params,
          response: { 200: CountedSegmentBody, 404: answers('segment_not_found') },
        },
      },
      async (request) => {
        return presentCounted(await segments.find(request.params.slug));
      },
    );

    app.patch(
      '/v1/segments/:slug',
      {
        config: { scope: 'write' },
        schema: {
          operationId: 'changeSegment',
          summary: 'Change a segment',
          description:
            'Raising the percentage keeps everyone who was in. What is as it was already is no change. A percentage to come (`effective_at`) happens at its moment, whoever is up then; one for the same moment is replaced. With `?dry_run=true` nothing is changed: the answer says who of the known users would come in and who would go out.',
          tags,
          params,
          querystring: DryRunQuery,
          body: SegmentChangeBody,
          response: {
            200: withHeaders(
              'The segment, or with `dry_run` the preview',
              Type.Union([SegmentBody, PreviewBody]),
              revisionHeader,
            ),
            404: answers('segment_not_found'),
            409: answers('group_full'),
          },
        },
      },
      async (request, reply) => {
        const { description } = request.body;
        const share = shareOf(request.body);
        if (request.query.dry_run) {
          if (share === undefined) throw invalid('dry_run', 'shows what a percentage would do: it needs percent.');
          if (description !== undefined) throw invalid('description', 'cannot be given together with dry_run.');
          return presentPreview(await segments.preview(request.params.slug, share));
        }
        const { segment, revision, moment } = await segments.change(
          request.params.slug,
          { ...(description === undefined ? {} : { description }), ...(share === undefined ? {} : { share }) },
          actorOf(request),
        );
        return reply.header('revision', String(revision)).send(presentSegment(segment, moment));
      },
    );

    app.delete(
      '/v1/segments/:slug/scheduled/:id',
      {
        config: { scope: 'write' },
        schema: {
          operationId: 'cancelScheduledChange',
          summary: 'Take back a percentage to come',
          tags,
          params: Type.Object({ slug: Slug, id: Type.String({ maxLength: 20, description: 'As the segment shows it.' }) }),
          response: {
            204: withHeaders('Taken back', Type.Null(), revisionHeader),
            404: answers('segment_not_found', 'scheduled_change_not_found'),
            409: answers('group_full'),
          },
        },
      },
      async (request, reply) => {
        const { slug, id } = request.params;
        const plannedFor = /^[1-9]\d{0,15}$/.test(id) ? Number(id) : NaN;
        const { revision } = await segments.cancel(slug, plannedFor, actorOf(request));
        return reply.code(204).header('revision', String(revision)).send(null);
      },
    );

    app.delete(
      '/v1/segments/:slug',
      {
        config: { scope: 'write' },
        schema: {
          operationId: 'deleteSegment',
          summary: 'Delete a segment',
          description: 'Takes every user out of it at that moment; each of those exits is in the history.',
          tags,
          params,
          response: { 204: withHeaders('Deleted', Type.Null(), revisionHeader), 404: answers('segment_not_found') },
        },
      },
      async (request, reply) => {
        const revision = await segments.delete(request.params.slug, actorOf(request));
        return reply.code(204).header('revision', String(revision)).send(null);
      },
    );

    app.get(
      '/v1/segments/:slug/members',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listMembers',
          summary: 'List who is in by hand',
          description:
            'In byte order of their ids. With `Accept: text/csv` all of them, as one moment had them: a header line `user_id`, then an id a line. Imported again with `replace` it changes nothing.',
          tags,
          params,
          querystring: Type.Object(listParameters, { additionalProperties: false }),
          response: {
            200: Type.Unsafe<Static<typeof MembersBody> | Readable>({
              description: 'Who is in by hand',
              content: { 'application/json': { schema: MembersBody }, 'text/csv': { schema: { type: 'string' } } },
            }),
            404: answers('segment_not_found'),
          },
        },
      },
      async (request, reply) => {
        const { limit = 100, cursor } = request.query;
        void reply.header('vary', 'accept');
        const isCsv = /\btext\/csv\b/i.test(request.headers.accept ?? '');
        if (isCsv) {
          const given = /[?&](limit|cursor)=/.exec(request.url)?.[1]; // a limit that was left out is filled in
          if (given !== undefined) throw invalid(given, 'pages a list; text/csv is all of it.');
          const { slug } = request.params;
          if (request.method === 'HEAD') await segments.find(slug); // is refused as a GET is
          else downloads.enter(reply);
          return csvFile(request, reply, `segmentd-${slug}.csv`, async (gone) =>
            withHeader(await segments.exportMembers(slug, gone)),
          );
        }
        const [after] = cursor === undefined ? [''] : memberCursors.read(cursor);
        const found = await segments.members(request.params.slug, after, limit + 1);
        const { shown, nextCursor } = pageOf(found, limit, ({ userId }) => memberCursors.at(userId));
        return { members: shown.map(presentMember), next_cursor: nextCursor };
      },
    );
  };
}

async function* withHeader(lines: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield Buffer.from('user_id\n');
  yield* lines;
}

const presentCounted = ({ segment, moment, members, rolloutEstimate }: CountedSegment) => ({
  ...presentSegment(segment, moment),
  members,
  rollout_estimate: rolloutEstimate,
});

/** The percentage that is asked for, and when it comes into force. */
function shareOf({ description, percent, effective_at }: Static<typeof SegmentChangeBody>): WantedShare | undefined {
  if (effective_at !== undefined && percent === undefined)
    throw invalid('effective_at', 'is the moment of a percentage: it needs percent.');
  if (effective_at !== undefined && description !== undefined)
    throw invalid('description', 'cannot be given together with effective_at: it changes at once.');
  if (percent === undefined) return undefined;
  return { buckets: bucketsOf(percent), ...(effective_at === undefined ? {} : { effectiveAt: toMoment(effective_at) }) };
}

function bucketsOf(percent: number): number {
  const buckets = bucketsCovered(percent);
  if (buckets === undefined) throw invalid('percent', `must go in steps of 0.01; got ${percent}.`);
  return buckets;
}
