import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parseMoment } from '../../src/http/moment.ts';

interface Documented {
  description: string;
  content?: Record<string, { schema: object }>;
}

interface Operation {
  responses: Record<string, Documented>;
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

/** Holds answers against the OpenAPI document: a status that a path does not document, or a body of another form, fails. */
export function contractOf(document: OpenApi) {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addFormat('date-time', (text: string) => parseMoment(text) !== undefined && text.endsWith('Z'));
  ajv.addFormat('uri', (text: string) => URL.canParse(text));
  ajv.addSchema({ $id: 'document', components: document.components });
  const compiled = new Map<object, ValidateFunction>();
  const validatorOf = (schema: object) => {
    const known = compiled.get(schema);
    if (known) return known;
    const made = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"document#/components')) as object);
    compiled.set(schema, made);
    return made;
  };
  const patterns = Object.entries(document.paths).map(([path, operations]) => {
    return { operations, pattern: new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/\{[^}]+\}/g, '[^/]*')}$`) };
  });

  return {
    check(method: string, url: string, status: number, contentType: string, body: unknown) {
      const path = url.split('?', 1)[0]!;
      const where = `${method} ${path} ${status}`;
      const operation = patterns.find(({ pattern }) => pattern.test(path))?.operations[method.toLowerCase()];
      const documented = operation?.responses[String(status)];
      // A path that cannot be decoded meets no route, and is refused for its key or for that, whatever the route documents.
      const isForThePath = !documented && [400, 401, 403, 429].includes(status) && !isDecodable(path);
      if (!operation || isForThePath) {
        if (status >= 400) assertFits(validatorOf({ $ref: '#/components/schemas/Problem' }), body, where);
        return;
      }
      assert.ok(documented, `${where} is not documented`);
      const contents = Object.entries(documented.content ?? {});
      const [mediaType, content] = contents.find(([type]) => contentType.startsWith(type)) ?? contents[0] ?? [];
      if (!content || !mediaType) return assert.equal(body, '', `${where} documents no body`);
      assert.ok(contentType.startsWith(mediaType), `${where} documents ${mediaType}, came as ${contentType}`);
      assertFits(validatorOf(content.schema), body, where);
    },
  };
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

function assertFits(validate: ValidateFunction, body: unknown, where: string) {
  assert.ok(validate(body), `${where}: ${JSON.stringify(validate.errors)} in ${JSON.stringify(body)}`);
}
