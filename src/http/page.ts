import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';

/** A built file of the page, as it is and packed. */
export interface PageFile {
  /** Below `/ui/`; a name with a hash of the contents, but for `index.html`. */
  readonly name: string;
  readonly plain: Buffer;
  readonly br: Buffer;
  readonly gzip: Buffer;
}

const types: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Nothing but what this service serves, and nothing inline: whatever text came into the page, it would not be run. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join(';');

/** A year: a file whose name has the hash of its contents never changes. */
const forEver = 'public, max-age=31536000, immutable';

/**
 * The page at `/ui/`, without a key: it holds nothing that is not in the project, and asks the public API with the key of who
 * uses it. Each file is a route, so that what is no file is an unknown path like any other. The redirects are relative, so
 * that they hold behind a proxy that serves all of this below a path of its own.
 */
export function pageRoutes(files: readonly PageFile[]): FastifyPluginAsync {
  return async (app) => {
    const options = { config: { scope: 'none' as const }, schema: { hide: true } };
    for (const path of ['/', '/ui'])
      app.get(path, options, (_request, reply) => reply.code(302).header('location', 'ui/').send(''));
    for (const file of files) {
      const path = `/ui/${file.name === 'index.html' ? '' : file.name}`;
      app.get(path, options, (request, reply) => sendFile(request, reply, file));
    }
  };
}

function sendFile(request: FastifyRequest, reply: FastifyReply, { name, plain, br, gzip }: PageFile) {
  const isEntry = name === 'index.html';
  const coding = codingOf(request.headers['accept-encoding'] ?? '');
  void reply
    .type(types[name.split('.').at(-1)!]!)
    .headers({ 'cache-control': isEntry ? 'no-cache' : forEver, vary: 'Accept-Encoding' });
  if (isEntry) void reply.header('content-security-policy', contentSecurityPolicy);
  if (coding) void reply.header('content-encoding', coding);
  return reply.send({ br, gzip, '': plain }[coding]);
}

/** The best packing that a client takes (RFC 9110, section 12.5.3), without regard to what it likes better. */
function codingOf(accepted: string): 'br' | 'gzip' | '' {
  const taken = new Set(
    accepted
      .toLowerCase()
      .split(',')
      .map((one) => one.split(';').map((part) => part.trim()))
      .filter(([, weight = '']) => !/^q=0(\.0*)?$/.test(weight))
      .map(([coding]) => coding),
  );
  if (taken.has('br')) return 'br';
  return taken.has('gzip') ? 'gzip' : '';
}
