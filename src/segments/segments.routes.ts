import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { actorOf } from '../http/authenticate.ts';
import { listParameters, revisionHeader, Slug } from '../http/common.schemas.ts';
import { cursorsOf } from '../http/cursor.ts';
import { invalid } from '../http/problem.ts';
import { answers } from '../http/problem.schemas.ts';
import { withHeaders } from '../http/responses.ts';
import { bucketsCovered } from '../rollout/ranges.ts';
import {
  CountedSegmentBody,
  MembersBody,
  NewSegmentBody,
  presentMember,
  presentSegment,
  SegmentBody,
  SegmentChangeBody,
  SegmentsBody,
} from './segments.schemas.ts';
import type { SegmentsService } from './segments.service.ts';

const tags = ['Segments'];
const params = Type.Object({ slug: Slug });
const segmentCursors = cursorsOf('segments', ['text']);
const memberCursors = cursorsOf('members', ['text']);

export function segmentRoutes(segments: SegmentsService): FastifyPluginAsyncTypebox {
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
            409: answers('segment_exists'),
          },
        },
      },
      async (request, reply) => {
        const { slug, description = '', percent = 0, salt } = request.body;
        const buckets = bucketsOf(percent);
        const { segment, revision } = await segments.create(
          { slug, description, buckets, ...(salt === undefined ? {} : { salt }) },
          actorOf(request),
        );
        return reply
          .code(201)
          .headers({ location: `/v1/segments/${slug}`, revision: String(revision) })
          .send(presentSegment(segment));
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
            },
            { additionalProperties: false },
          ),
          response: { 200: SegmentsBody },
        },
      },
      async (request) => {
        const { limit = 100, cursor, prefix = '' } = request.query;
        const [after] = cursor === undefined ? [''] : segmentCursors.read(cursor);
        const page = await segments.list({ prefix, after, limit: limit + 1 });
        const shown = page.slice(0, limit);
        return {
          segments: shown.map(({ segment, members }) => ({ ...presentSegment(segment), members })),
          next_cursor: page.length > limit ? segmentCursors.at(shown.at(-1)!.segment.slug) : null,
        };
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
        const { segment, members } = await segments.find(request.params.slug);
        return { ...presentSegment(segment), members };
      },
    );

    app.patch(
      '/v1/segments/:slug',
      {
        config: { scope: 'write' },
        schema: {
          operationId: 'changeSegment',
          summary: 'Change a segment',
          description: 'Raising the percentage keeps everyone who was in. What is as it was already is no change.',
          tags,
          params,
          body: SegmentChangeBody,
          response: { 200: withHeaders('The segment', SegmentBody, revisionHeader), 404: answers('segment_not_found') },
        },
      },
      async (request, reply) => {
        const { description, percent } = request.body;
        const { segment, revision } = await segments.change(
          request.params.slug,
          {
            ...(description === undefined ? {} : { description }),
            ...(percent === undefined ? {} : { buckets: bucketsOf(percent) }),
          },
          actorOf(request),
        );
        return reply.header('revision', String(revision)).send(presentSegment(segment));
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
          description: 'In byte order of their ids.',
          tags,
          params,
          querystring: Type.Object(listParameters, { additionalProperties: false }),
          response: { 200: MembersBody, 404: answers('segment_not_found') },
        },
      },
      async (request) => {
        const { limit = 100, cursor } = request.query;
        const [after] = cursor === undefined ? [''] : memberCursors.read(cursor);
        const page = await segments.members(request.params.slug, after, limit + 1);
        const shown = page.slice(0, limit);
        return {
          members: shown.map(presentMember),
          next_cursor: page.length > limit ? memberCursors.at(shown.at(-1)!.userId) : null,
        };
      },
    );
  };
}

function bucketsOf(percent: number): number {
  const buckets = bucketsCovered(percent);
  if (buckets === undefined) throw invalid('percent', `must go in steps of 0.01; got ${percent}.`);
  return buckets;
}
