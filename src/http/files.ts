import { createGunzip } from 'node:zlib';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { BrokenOff, Problem } from './problem.ts';
import { dropRest } from './slow-requests.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The media types of a route that reads its body as it arrives, in words. */
    takes?: string;
  }
}

const charset = /;\s*charset\s*=\s*"?([\w-]+)"?/i;

/** Lets the routes of this plugin take files as they arrive: `text/csv` and `text/plain`, plain or `gzip`, and no JSON. */
export function takeFiles(app: FastifyInstance, maxBytes: number) {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(['text/csv', 'text/plain'], (_request, payload, done) => done(null, payload));
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    const { 'content-type': type = '', 'content-encoding': encoding = 'identity', 'content-length': length } = request.headers;
    if (Number(length ?? 0) > maxBytes) return done(tooLarge(maxBytes, Number(length)));
    if (!/^text\/(csv|plain)\s*(;|$)/i.test(type))
      return done(
        new Problem(
          'unsupported_media_type',
          `Send ${request.routeOptions.config.takes}; got ${type === '' ? 'no Content-Type' : type.slice(0, 60)}.`,
        ),
      );
    const letters = charset.exec(type)?.[1] ?? 'utf-8';
    if (!/^(utf-?8|us-ascii|iso-8859-1|windows-1252)$/i.test(letters))
      return done(new Problem('unsupported_media_type', `The charset must be UTF-8; got ${letters}.`));
    if (!/^(identity|gzip|x-gzip)$/i.test(encoding))
      return done(
        new Problem('unsupported_media_type', `The Content-Encoding must be gzip or left out; got ${encoding.slice(0, 60)}.`),
      );
    done();
  });
}

const tooLarge = (maxBytes: number, announced: number) =>
  new Problem(
    'body_too_large',
    `A file may have ${maxBytes.toLocaleString('en')} bytes at most; ${announced.toLocaleString('en')} were announced.`,
  );

/**
 * The bytes of a file, unpacked. Throws 400 where they are no gzip; ends with an error where the sender goes away. One that
 * goes so long without a byte is cut. Where the rest is not wanted it is read all the same and dropped.
 */
export async function* bytesOf(request: FastifyRequest, stallMs: number): AsyncGenerator<Buffer> {
  const body = request.body as Readable;
  const watchdog = setTimeout(() => request.raw.destroy(new Error(`no byte of the file came for ${stallMs} ms`)), stallMs);
  const isPacked = /gzip/i.test(request.headers['content-encoding'] ?? '');
  const bytes = isPacked ? unpacked(body) : body;
  try {
    for await (const piece of bytes.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      watchdog.refresh();
      yield piece;
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))
      throw new Problem('invalid_request', 'The body is no gzip, or is cut short.', { cause: error });
    throw new BrokenOff(error); // also of a file that is there to its last byte, but not read to it: its sender has gone
  } finally {
    clearTimeout(watchdog);
    if (bytes !== body) bytes.destroy();
    if (!body.readableEnded && !body.destroyed) {
      body.unpipe();
      dropRest(request.raw, stallMs);
    }
  }
}

/** What breaks is thrown to who reads it; the packed bytes are not touched by that. */
function unpacked(body: Readable): Readable {
  const gunzip = createGunzip();
  const breakOff = (error?: Error) => {
    if (!body.readableEnded) gunzip.destroy(error ?? new Error('the sender has gone'));
  };
  body.once('error', breakOff).once('close', breakOff);
  gunzip.on('error', () => {}); // who reads hears of it, and where nobody reads any more it is nobody's
  return body.pipe(gunzip);
}
