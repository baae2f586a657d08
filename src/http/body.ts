import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalid, Problem } from './problem.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Takes JSON alone, and only what is well-formed: bytes that are no UTF-8 are refused rather than replaced. */
export function parseJsonStrictly(app: FastifyInstance) {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    // A deletion may announce JSON and send none, as some clients do.
    if (body.length === 0 && !request.routeOptions.schema?.body) return undefined;
    return parseJson(body);
  });
}

/** What a body says. 400 where it is no JSON, no UTF-8, or gives a field twice. */
export function parseJson(body: Buffer): unknown {
  const parsed = parse(body);
  const repeated = repeatedField(body, parsed);
  if (repeated !== undefined) throw invalid(repeated, 'is given more than once.');
  return parsed;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch (error) {
    const reason = body.length === 0 ? 'it is empty' : error instanceof SyntaxError ? error.message : 'it is not UTF-8';
    throw new Problem('invalid_request', `The body is not JSON: ${reason}.`, { cause: error });
  }
}

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];
const [openingBrace, openingBracket, closingBrace, closingBracket] = [0x7b, 0x5b, 0x7d, 0x5d];

/**
 * The first field of an object that it has twice, however it is spelt (`"a"`, `"\u0061"`); `undefined`: none. `JSON.parse`
 * takes the last one and tells nobody. Fields of fields are not looked at: no body here has such but those of OpenFeature,
 * where they are the sender's own. The names are counted in the bytes, and read only where there are more of them than fields.
 */
function repeatedField(body: Buffer, parsed: unknown): string | undefined {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  const names: [from: number, to: number][] = [];
  let depth = 0;
  for (let i = 0, text: [number, number] = [0, 0]; i < body.length; i++) {
    const byte = body[i]!;
    if (byte === quote) {
      const from = i;
      for (i++; body[i] !== quote; i++) if (body[i] === backslash) i++;
      if (depth === 1) text = [from, i + 1];
    } else if (byte === colon && depth === 1) names.push(text);
    else if (byte === openingBrace || byte === openingBracket) depth++;
    else if (byte === closingBrace || byte === closingBracket) depth--;
  }
  if (names.length === Object.keys(parsed).length) return undefined;
  const seen = new Set<string>();
  return names
    .map(([from, to]) => JSON.parse(utf8.decode(body.subarray(from, to))) as string)
    .find((name) => seen.size === seen.add(name).size);
}
