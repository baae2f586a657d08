import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from './problem.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Takes JSON alone, and only what is well-formed: bytes that are no UTF-8 are refused rather than replaced. */
export function parseJsonStrictly(app: FastifyInstance) {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    // A deletion may announce JSON and send none, as some clients do.
    if (body.length === 0 && !request.routeOptions.schema?.body) return undefined;
    try {
      return JSON.parse(utf8.decode(body)) as unknown;
    } catch (error) {
      const reason = body.length === 0 ? 'it is empty' : error instanceof SyntaxError ? error.message : 'it is not UTF-8';
      throw new Problem('invalid_request', `The body is not JSON: ${reason}.`, { cause: error });
    }
  });
}
