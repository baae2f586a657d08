import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { Type } from 'typebox';
import { answers, ProblemBody } from './problem.schemas.ts';

/** The document, generated from the schemas that validate, and its page. To be called before the routes are registered. */
export async function describeApi(app: FastifyInstance) {
  app.addSchema(ProblemBody);
  app.addHook('onRoute', (route) => {
    if (route.schema && !route.schema.hide) addCommonAnswers(route);
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'segmentd',
        version: '1.0.0',
        description: 'The system of record for who is in which segment, who was, and why.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This server' }],
      tags: [
        { name: 'Segments', description: 'Named sets of users.' },
        { name: 'Users', description: "A user's segments: change, read, explain." },
        { name: 'OpenFeature', description: 'The OpenFeature Remote Evaluation Protocol (OFREP) 0.3.0.' },
        { name: 'Imports', description: 'Files of ids, in and out.' },
        { name: 'History', description: 'Entries and exits, as JSON and as CSV.' },
        { name: 'Keys', description: 'Who is let in.' },
        { name: 'Operating', description: 'Health and figures.' },
      ],
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'A key: `Authorization: Bearer KEY`.' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same key, where OpenFeature asks.' },
        },
      },
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => (typeof json.$id === 'string' ? json.$id : `def-${i}`) },
  });
  await app.register(async (page) => {
    page.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'none' };
    });
    await page.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: true,
      // Without it the page would look for its own files by https where the service is reached by http.
      transformStaticCSP: (header) => header.replace(/;? *upgrade-insecure-requests/, ''),
      logLevel: 'warn',
    });
  });
  app.get(
    '/openapi.json',
    {
      config: { scope: 'none' },
      schema: {
        operationId: 'readApi',
        summary: 'This document',
        tags: ['Operating'],
        response: { 200: Type.Unsafe<object>({ description: 'OpenAPI 3.1', type: 'object', additionalProperties: true }) },
      },
    },
    async () => app.swagger(),
  );
}

/** What any route of its kind takes and may answer besides its own, so that no route has to repeat it. */
function addCommonAnswers(route: RouteOptions) {
  const schema = route.schema!;
  const needsKey = route.config?.scope !== 'none';
  schema.security = needsKey ? [{ key: [] }, ...(route.config?.takesApiKey ? [{ apiKey: [] }] : [])] : [];
  schema.querystring ??= Type.Object({}, { additionalProperties: false }); // an unknown parameter is refused everywhere
  schema.response = {
    400: answers('invalid_request'),
    ...(needsKey ? { 401: answers('unauthorized'), 403: answers('forbidden'), 429: answers('rate_limited') } : {}),
    ...(schema.body || route.config?.takes || route.method === 'DELETE' // whose body is read, though it says nothing
      ? { 413: answers('body_too_large'), 415: answers('unsupported_media_type') }
      : {}),
    500: answers('internal_error'),
    ...(needsKey
      ? { 503: answers('database_unavailable', 'overloaded', 'clock_behind', 'definitions_busy') }
      : route.config?.isVital
        ? {}
        : { 503: answers('overloaded') }),
    ...described(schema.response as Record<string, object>, schema.summary ?? ''),
  };
}

/** A response that does not say what it is, is what the summary says. */
const described = (responses: Record<string, object>, summary: string) =>
  Object.fromEntries(Object.entries(responses).map(([status, schema]) => [status, { description: summary, ...schema }]));
