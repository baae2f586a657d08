import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A file of CSV as the answer, sent as it is made. For a HEAD it is not made: the framework would read it to its end. */
export async function csvFile(
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  make: () => AsyncIterable<string | Buffer> | Promise<AsyncIterable<string | Buffer>>,
): Promise<Readable> {
  const pieces = request.method === 'HEAD' ? [] : await make();
  void reply.type('text/csv; charset=utf-8').header('content-disposition', `attachment; filename="${name}"`);
  return Readable.from(pieces, { objectMode: false });
}
