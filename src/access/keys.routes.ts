import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { listParameters } from '../http/common.schemas.ts';
import { cursorsOf, pageOf } from '../http/cursor.ts';
import { answers } from '../http/problem.schemas.ts';
import type { KeysService } from './keys.service.ts';
import { KeyName, KeysBody, MadeKeyBody, NewKeyBody, OwnKeyBody, presentKey } from './keys.schemas.ts';

const tags = ['Keys'];
const cursors = cursorsOf('keys', ['text']);

export function keyRoutes(keys: KeysService): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/v1/key',
      {
        config: { scope: 'evaluate' },
        schema: { operationId: 'readOwnKey', summary: 'What the key of the request is', tags, response: { 200: OwnKeyBody } },
      },
      (request) => {
        const { name, scope } = request.key!;
        return { name, scope };
      },
    );

    app.get(
      '/v1/keys',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'listKeys',
          summary: 'List keys',
          description: 'By name, those that were revoked too. Their texts are kept nowhere.',
          tags,
          querystring: Type.Object(listParameters, { additionalProperties: false }),
          response: { 200: KeysBody },
        },
      },
      async (request) => {
        const { limit = 100, cursor } = request.query;
        const [after] = cursor === undefined ? [''] : cursors.read(cursor);
        const found = await keys.list({ after, limit: limit + 1 });
        const { shown, nextCursor } = pageOf(found, limit, ({ name }) => cursors.at(name));
        return { keys: shown.map(presentKey), next_cursor: nextCursor };
      },
    );

    app.post(
      '/v1/keys',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createKey',
          summary: 'Make a key',
          description:
            'The key is shown this once. Where the answer was lost, revoke the name and take another one: a name is never given again.',
          tags,
          body: NewKeyBody,
          response: { 201: { ...MadeKeyBody, description: 'The key' }, 409: answers('key_exists') },
        },
      },
      async (request, reply) => {
        const { name, scope } = request.body;
        const key = await keys.create({ name, scope });
        return reply.code(201).header('cache-control', 'no-store').send({ name, scope, key });
      },
    );

    app.delete(
      '/v1/keys/:name',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'revokeKey',
          summary: 'Revoke a key',
          description:
            'For good. It ends at once in the process that answers, in others within some milliseconds. A key may revoke itself, and the last one with `admin` too: the command line makes another.',
          tags,
          params: Type.Object({ name: KeyName }),
          response: { 204: Type.Null({ description: 'It is revoked' }), 404: answers('key_not_found') },
        },
      },
      async (request, reply) => {
        await keys.revoke(request.params.name);
        return reply.code(204).send(null);
      },
    );
  };
}
