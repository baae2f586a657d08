import type { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { actorOf } from '../http/authenticate.ts';
import { listParameters, Slug } from '../http/common.schemas.ts';
import { csvFile } from '../http/csv-file.ts';
import { cursorsOf, notACursor, pageOf } from '../http/cursor.ts';
import { bytesOf, takeFiles } from '../http/files.ts';
import { answers } from '../http/problem.schemas.ts';
import { invalid } from '../http/problem.ts';
import { withHeaders } from '../http/responses.ts';
import { ImportBody, ImportHeaders, ImportListQuery, ImportQuery, ImportsBody, presentImport } from './imports.schemas.ts';
import { type ImportsService, isImportId } from './imports.service.ts';
import { rejectsCsv } from './rejects.ts';

const tags = ['Imports'];
const params = Type.Object({ id: Type.String({ description: 'As the import shows it.' }) });
const cursors = cursorsOf('imports', ['text']);

/** `stallMs`: how long a file may go without a byte. */
export function importRoutes(imports: ImportsService, maxBytes: number, stallMs: number): FastifyPluginAsyncTypebox {
  return async (app) => {
    await app.register(receiving(imports, maxBytes, stallMs));

    app.get(
      '/v1/imports',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listImports',
          summary: 'List imports',
          description: 'The oldest first.',
          tags,
          querystring: Type.Object({ ...ImportListQuery, ...listParameters }, { additionalProperties: false }),
          response: { 200: ImportsBody },
        },
      },
      async (request) => {
        const { segment: slug = null, state = null, limit = 100, cursor } = request.query;
        const [after] = cursor === undefined ? [''] : cursors.read(cursor);
        if (cursor !== undefined && !isImportId(after)) throw notACursor(cursor);
        const found = await imports.list({ slug, state, after, limit: limit + 1 });
        const { shown, nextCursor } = pageOf(found, limit, ({ id }) => cursors.at(id));
        return { imports: shown.map(presentImport), next_cursor: nextCursor };
      },
    );

    app.get(
      '/v1/imports/:id',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'readImport',
          summary: 'Read an import',
          tags,
          params,
          response: { 200: ImportBody, 404: answers('import_not_found') },
        },
      },
      async (request) => presentImport(await imports.find(request.params.id)),
    );

    app.get(
      '/v1/imports/:id/rejects',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listRejects',
          summary: 'The rows that an import refused',
          description:
            '`line,value,reason`, by line, as they are known by now. Reasons: `invalid_user_id`, `too_many_columns`, `duplicate` (the first counts), `group_conflict`, `expired` (the end had passed when the turn of the row came).',
          tags,
          params,
          response: {
            200: Type.Unsafe<Readable>({
              description: 'RFC 4180 with CRLF and a header line.',
              content: { 'text/csv': { schema: { type: 'string' } } },
            }),
            404: answers('import_not_found'),
          },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const pages = await imports.rejects(id);
        return csvFile(request, reply, `segmentd-import-${id}-rejects.csv`, () => rejectsCsv(pages));
      },
    );

    app.delete(
      '/v1/imports/:id',
      {
        config: { scope: 'write' },
        schema: {
          operationId: 'cancelImport',
          summary: 'Cancel an import',
          description: 'What was applied stays, and is in the history. One that is over stays as it is.',
          tags,
          params,
          response: {
            202: { ...ImportBody, description: 'The import' },
            404: answers('import_not_found'),
          },
        },
      },
      async (request, reply) => reply.code(202).send(presentImport(await imports.cancel(request.params.id))),
    );
  };
}

/** In a scope of its own, where a body is a file and no JSON. */
const receiving =
  (imports: ImportsService, maxBytes: number, stallMs: number): FastifyPluginAsyncTypebox =>
  async (app) => {
    takeFiles(app, maxBytes);

    app.post(
      '/v1/segments/:slug/imports',
      {
        config: { scope: 'write', takes: 'text/csv or text/plain' },
        schema: {
          operationId: 'importMembers',
          summary: 'Import a file of user ids',
          description:
            'The body is a file, an id a line, `text/csv` (RFC 4180 with one column, a first line `user_id` is a header) or `text/plain`, plain or with `Content-Encoding: gzip`. 202 comes after its last byte; the import is then carried out batch by batch, and a bad row costs no good one. Of a body that breaks off nothing is applied.',
          tags,
          params: Type.Object({ slug: Slug }),
          querystring: ImportQuery,
          headers: ImportHeaders,
          response: {
            202: withHeaders('The import', ImportBody, { location: Type.String({ description: 'Its path.' }) }),
            404: answers('segment_not_found'),
            409: answers('idempotency_key_reused'),
          },
        },
      },
      async (request, reply) => {
        const { operation, ttl_seconds: ttlSeconds = null, replace_in_group: replaceInGroup } = request.query;
        if (operation === 'remove' && ttlSeconds !== null)
          throw invalid('ttl_seconds', 'is the end of what is added: it cannot be given with remove.');
        if (operation === 'remove' && replaceInGroup !== undefined)
          throw invalid('replace_in_group', 'makes room for what is added: it cannot be given with remove.');
        const made = await imports.receive(
          {
            slug: request.params.slug,
            operation,
            ttlSeconds,
            replaceInGroup: replaceInGroup ?? false,
            format: /^text\/csv/i.test(request.headers['content-type']!) ? 'csv' : 'plain',
            idempotencyKey: request.headers['idempotency-key'] ?? null,
            by: actorOf(request),
          },
          bytesOf(request, stallMs),
        );
        return reply.code(202).header('location', `/v1/imports/${made.id}`).send(presentImport(made));
      },
    );
  };
