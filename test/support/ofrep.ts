import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

export interface OfrepAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Of one flag, or of all. */
export type OfrepRoute = 'single' | 'bulk';

const text = { type: 'string' };
const object = (properties: Record<string, object>, required: string[], rest: object = {}) => ({
  type: 'object',
  properties,
  required,
  ...rest,
});
const metadata = { type: 'object', additionalProperties: { type: ['boolean', 'string', 'number'] } };
const failed = (codes: string[], names: string[]) =>
  object({ key: text, errorCode: { enum: codes }, errorDetails: text, metadata }, names, { additionalProperties: false });

const success = object(
  {
    key: text,
    value: { type: 'boolean' }, // what a segment is, of the types that a flag may have
    reason: { enum: ['STATIC', 'TARGETING_MATCH', 'SPLIT', 'DISABLED', 'UNKNOWN'] },
    variant: text,
    metadata,
  },
  ['key', 'value', 'reason'],
  { additionalProperties: false },
);
const invalid = ['PARSE_ERROR', 'TARGETING_KEY_MISSING', 'INVALID_CONTEXT', 'GENERAL'];
const stream = object({ type: text, url: { type: 'string', format: 'uri' } }, ['type', 'url'], { additionalProperties: false });
const anything = object({ errorDetails: text }, [], { additionalProperties: false });

/** The answers of OpenFeature Remote Evaluation Protocol 0.3.0, service/openapi.yaml, as far as they are given here. */
const schemas: Record<OfrepRoute, Record<number, object>> = {
  single: { 200: success, 400: failed(invalid, ['key', 'errorCode']), 404: failed(['FLAG_NOT_FOUND'], ['key', 'errorCode']) },
  bulk: {
    200: object({ flags: { type: 'array', items: success }, eventStreams: { type: 'array', items: stream } }, ['flags'], {
      additionalProperties: false,
    }),
    304: { const: '' },
    400: failed(invalid, ['errorCode']),
  },
};

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addFormat('uri', (one: string) => URL.canParse(one));
ajv.addFormat('date-time', (one: string) => !Number.isNaN(Date.parse(one)));
ajv.addFormat('float', true);

const byHand = (route: OfrepRoute, status: number) => ajv.compile(schemas[route][status] ?? anything);
const byDocument = process.env.OFREP_DOCUMENT === undefined ? undefined : validatorsOf(process.env.OFREP_DOCUMENT);

/** Holds an answer against the protocol, and against its document itself where `OFREP_DOCUMENT` names it. */
export function checkOfrep(route: OfrepRoute, { status, body }: OfrepAnswer): void {
  for (const validate of [byHand(route, status), byDocument?.(route, status)])
    assert.ok(!validate || validate(body), `${route} ${status}: ${JSON.stringify(validate?.errors)} in ${JSON.stringify(body)}`);
}

interface Documented {
  paths: Record<string, { post: { responses: Record<string, { content?: Record<string, { schema: object }> }> } }>;
  components: { schemas: Record<string, object> };
}

/** Validators of what the document says of a status; none where it says nothing of a body. */
function validatorsOf(path: string): (route: OfrepRoute, status: number) => ValidateFunction | undefined {
  assert.ok(existsSync(path), `OFREP_DOCUMENT names no file: ${path}`);
  const { paths, components } = readYaml(path) as Documented;
  // As it stands, whatever has a value fits two of the types of flags, of which exactly one must fit: this one asks for nothing.
  components.schemas.codeDefaultFlag = { not: { required: ['value'] } };
  ajv.addSchema({ $id: 'ofrep', components });
  return (route, status) => {
    const { responses } = paths[`/ofrep/v1/evaluate/flags${route === 'single' ? '/{key}' : ''}`]!.post;
    const schema = responses[status]?.content?.['application/json']?.schema;
    return schema && ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"ofrep#/')) as object);
  };
}

/** Redocly's own reader of YAML. */
function readYaml(path: string): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'segmentd-ofrep-'));
  const file = join(folder, 'document.json');
  const redocly = join(fileURLToPath(import.meta.resolve('@redocly/cli/package.json')), '..', 'bin', 'cli.js');
  execFileSync(process.execPath, [redocly, 'bundle', path, '--output', file], { stdio: 'ignore' });
  const document: unknown = JSON.parse(readFileSync(file, 'utf8'));
  rmSync(folder, { recursive: true });
  return document;
}
