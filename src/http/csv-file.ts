import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * A file of CSV as the answer, sent as it is made. For a HEAD it is not made: the framework would read it to its end.
 * `gone` is aborted when the answer has been sent or its reader has gone. Whatever a file holds must be given up then: an
 * iterator that was made and not begun is left without its `finally`.
 */
export async function csvFile(
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  make: (gone: AbortSignal) => AsyncIterable<string | Buffer> | Promise<AsyncIterable<string | Buffer>>,
): Promise<Readable> {
  const over = new AbortController();
  if (reply.raw.closed) over.abort();
  else reply.raw.once('close', () => over.abort());
  const pieces = request.method === 'HEAD' ? [] : await make(over.signal);
  void reply.type('text/csv; charset=utf-8').header('content-disposition', `attachment; filename="${name}"`);
  return Readable.from(pieces, { objectMode: false });
}
