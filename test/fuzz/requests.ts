import fc from 'fast-check';
import type { Random } from './random.ts';

export interface Schema {
  type?: string;
  enum?: unknown[];
  examples?: unknown[];
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
}

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly needsKey: boolean;
  readonly parameters: readonly { in: string; name: string; required?: boolean; example?: unknown; schema: Schema }[];
  /** Of a JSON body. */
  readonly body: Schema | undefined;
}

/** A request before it is written as bytes. Nothing in it has to be valid. */
export interface Wish {
  method: string;
  /** As it is sent, behind the first slash: percent-encoded where it should be. */
  segments: string[];
  query: string[];
  headers: [name: string, value: string][];
  body: Buffer | undefined;
  /** What stands in front of the headers' end instead of `Content-Length`, or none of both. */
  framing: 'length' | 'chunked' | 'none';
}

interface Documented {
  parameters?: Operation['parameters'];
  requestBody?: { content: Record<string, { schema: Schema }> };
  security?: unknown[];
}

/** Every operation of the document: a new route is fuzzed without being named here. */
export const operationsOf = (document: { paths: object }): Operation[] =>
  Object.entries(document.paths as Record<string, Record<string, Documented>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, security = [] }]) => ({
      method: method.toUpperCase(),
      path,
      needsKey: security.length > 0,
      parameters,
      body: requestBody?.content['application/json']?.schema,
    })),
  );

const byPattern = new Map<string, string[]>();

/** A value that the schema allows, or nearly: what it says in words is not looked at. */
export function valueOf(schema: Schema, random: Random): unknown {
  const { type, examples, pattern, format } = schema;
  if (schema.enum) return random.pick(schema.enum);
  if (examples && type !== 'object' && random.chance(70)) return random.pick(examples);
  if (type === 'boolean') return random.chance(50);
  if (type === 'integer' || type === 'number') {
    const { minimum = 0, maximum = 1_000 } = schema;
    return random.pick([minimum, maximum, minimum + random.below(maximum - minimum + 1)]);
  }
  if (type === 'array')
    return Array.from({ length: random.below(4) + (schema.minItems ?? 0) }, () => valueOf(schema.items ?? {}, random));
  if (type === 'object') {
    const given = Object.entries(schema.properties ?? {}).filter(
      ([name]) => schema.required?.includes(name) || random.chance(35),
    );
    return Object.fromEntries(given.map(([name, property]) => [name, valueOf(property, random)]));
  }
  if (format === 'date-time')
    return random.pick(['2026-11-23T10:00:00.000Z', '2020-01-01T00:00:00+03:00', '2999-01-01T00:00:00Z']);
  if (!pattern) return random.pick(['1', 'admin', 'A', 'x']);
  let known = byPattern.get(pattern);
  if (!known) byPattern.set(pattern, (known = textsOf(pattern)));
  return random.pick(known);
}

function textsOf(pattern: string): string[] {
  try {
    // It does not know what looks ahead; what comes out may then be refused, which does no harm here.
    return fc.sample(fc.stringMatching(new RegExp(pattern.replaceAll(/\(\?![^)]*\)/g, ''), 'u')), { numRuns: 30, seed: 1 });
  } catch {
    return ['x', 'admin'];
  }
}

/** A request as the document has it, without a key. */
export function validWish(operation: Operation, random: Random): Wish {
  const { method, path, parameters, body } = operation;
  const text = (parameter: Operation['parameters'][number]) => {
    const { example } = parameter;
    return encodeURIComponent(String(example !== undefined && random.chance(70) ? example : valueOf(parameter.schema, random)));
  };
  const of = (where: string) =>
    parameters.filter((parameter) => parameter.in === where && (parameter.required || random.chance(30)));
  const inPath = new Map(of('path').map((parameter) => [`{${parameter.name}}`, text(parameter)]));
  const isFile = method === 'POST' && body === undefined;
  const content = body ? Buffer.from(JSON.stringify(valueOf(body, random))) : isFile ? Buffer.from('1\n2\n') : undefined;
  const type = random.pick(['text/plain', 'text/csv']);
  return {
    method,
    segments: path
      .slice(1)
      .split('/')
      .map((segment) => inPath.get(segment) ?? segment),
    query: of('query').map((parameter) => `${parameter.name}=${text(parameter)}`),
    headers: [
      ['Host', 'fuzz'],
      ...(content ? ([['Content-Type', isFile ? type : 'application/json']] as [string, string][]) : []),
    ],
    body: content,
    framing: content ? 'length' : 'none',
  };
}

/** The bytes of a request; what is not Latin-1 in its head goes as UTF-8. */
export function bytesOf({ method, segments, query, headers, body, framing }: Wish): Buffer {
  const target = `/${segments.join('/')}${query.length > 0 ? `?${query.join('&')}` : ''}`;
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  if (framing === 'length') lines.push(`Content-Length: ${body?.length ?? 0}`);
  if (framing === 'chunked') lines.push('Transfer-Encoding: chunked');
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  if (!body || framing === 'none') return body ? Buffer.concat([head, body]) : head;
  if (framing === 'length') return Buffer.concat([head, body]);
  return Buffer.concat([head, Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
}
