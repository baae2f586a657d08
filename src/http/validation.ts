import { Ajv, type ErrorObject } from 'ajv';
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { momentRule, parseMoment } from './moment.ts';
import { type Fault, Problem } from './problem.ts';
import { quoted } from './quoted.ts';

/** How many faults one answer lists. */
const maxFaults = 20;

/** Of what holds more items and fields than this only the first fault is looked for: a megabyte of wrong ones has 500,000. */
const maxSize = 5_000;

// No coercion and no silent removal: a typo is refused. `verbose` brings the value into the errors.
const ajvWith = (allErrors: boolean) => {
  const ajv = new Ajv({
    allErrors,
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: true,
    verbose: true,
    strictTypes: false,
  });
  ajv.addFormat('date-time', (text: string) => parseMoment(text) !== undefined);
  ajv.addKeyword({ keyword: 'x-rule', schemaType: 'string' });
  return ajv;
};
/** Stops at the first fault, and looks at the length of a list before its items. */
const firstFault = ajvWith(false);
const allFaults = ajvWith(true);

/** The router refuses a path that is no percent-encoded UTF-8; a query gets the same. */
export function refuseUndecodableQueries(app: FastifyInstance) {
  app.addHook('preValidation', ({ url }, _reply, done) => {
    const start = url.indexOf('?');
    if (start < 0 || !url.includes('%', start)) return done();
    try {
      decodeURIComponent(url.slice(start));
    } catch (error) {
      throw new Problem('invalid_request', 'The query is not valid percent-encoded UTF-8.', { cause: error });
    }
    done();
  });
}

/** Validates with the schemas that the OpenAPI document shows. The texts of a query become the numbers and flags its schema asks for. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const isValid = firstFault.compile(schema);
  const listFaults = allFaults.compile(schema);
  const setTypes = httpPart === 'querystring' ? typesOf(schema) : () => {};
  return (value: unknown) => {
    setTypes(value as Record<string, unknown>);
    if (isValid(value)) return { value };
    if (sizeOf(value) > maxSize) return { error: problemOf(isValid.errors ?? [], httpPart) };
    listFaults(value);
    return { error: problemOf(listFaults.errors ?? [], httpPart) };
  };
};

/** Fields, and the items of the lists among them. */
function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  const fields = Object.values(value) as unknown[];
  return fields.reduce<number>((size, field) => size + (Array.isArray(field) ? field.length : 1), 0);
}

/** `10` for an integer, `true` and `false` for a flag, to the letter; all else stays text and meets the schema as such. */
function typesOf(schema: TSchema): (query: Record<string, unknown>) => void {
  const { properties = {} } = schema as { properties?: Record<string, { type?: string }> };
  const [integers, flags] = ['integer', 'boolean'].map((type) =>
    Object.keys(properties).filter((name) => properties[name]!.type === type),
  ) as [string[], string[]];
  return (query) => {
    for (const name of integers) {
      const text = query[name];
      if (typeof text === 'string' && /^(0|-?[1-9]\d{0,14})$/.test(text)) query[name] = Number(text);
    }
    for (const name of flags) {
      const text = query[name];
      if (text === 'true' || text === 'false') query[name] = text === 'true';
    }
  };
}

function problemOf(errors: ErrorObject[], httpPart: string | undefined): Problem {
  const faults = errors
    .filter(({ keyword }) => keyword !== 'if')
    .slice(0, maxFaults)
    .map((error) => faultOf(error, httpPart));
  const { path, message } = faults[0]!;
  const listed = errors.length > maxFaults ? `of which errors lists the first` : 'see errors';
  const rest = errors.length > 1 ? ` And ${errors.length - 1} more, ${listed}.` : '';
  return new Problem('invalid_request', `${path === '' ? (httpPart ?? 'request') : path} ${message}${rest}`, { faults });
}

function faultOf(error: ErrorObject, httpPart: string | undefined): Fault {
  const parent = error.instancePath.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
  const inside = (name: string) => (parent === '' ? name : `${parent}/${name}`);
  const { keyword, params, data } = error;
  if (keyword === 'additionalProperties') {
    const name = String(params.additionalProperty);
    return { path: inside(name), message: `is not a known ${httpPart === 'querystring' ? 'parameter' : 'field'}.` };
  }
  if (keyword === 'required') return { path: inside(String(params.missingProperty)), message: 'is missing.' };
  if (Array.isArray(data) && httpPart === 'querystring')
    return { path: parent, message: `must be given once; got ${data.length} times.` };
  return { path: parent, message: `${ruleOf(error)}; got ${quoted(data)}.` };
}

/** What the schema says of the value in words (`x-rule`), else Ajv's own. */
function ruleOf({ keyword, parentSchema, message, params }: ErrorObject): string {
  const { 'x-rule': rule } = (parentSchema ?? {}) as { 'x-rule'?: string };
  if (keyword === 'pattern' && rule) return rule;
  if (keyword === 'format') return momentRule;
  if (keyword === 'enum') return `must be one of ${(params.allowedValues as unknown[]).join(', ')}`;
  const size = sizeRules[keyword];
  if (size)
    return `must have at ${size[0]} ${params.limit} ${size[1]}${params.limit === 1 ? '' : 's'}${fieldsOf(keyword, parentSchema)}`;
  return message ?? 'is not valid';
}

/** In the place of Ajv's "must NOT have more than". */
const sizeRules: Record<string, readonly [which: 'least' | 'most', what: string]> = {
  minItems: ['least', 'item'],
  maxItems: ['most', 'item'],
  minLength: ['least', 'character'],
  maxLength: ['most', 'character'],
  minProperties: ['least', 'field'],
};

const fieldsOf = (keyword: string, schema: object = {}) =>
  keyword === 'minProperties' && 'properties' in schema ? ` of ${Object.keys(schema.properties as object).join(', ')}` : '';
