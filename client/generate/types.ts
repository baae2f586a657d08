/** What of JSON Schema our OpenAPI document uses. Anything else stops the generator. */
interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly description?: string;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly (Schema & {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: Schema;
  })[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}

export interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const heading = `// Made from the OpenAPI document by \`npm run types:client\`. Do not change it by hand.
`;

/** TypeScript for what the operations of a document take and answer, by their names. */
export function typesOf({ paths, components }: Described): string {
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  const queries = operations.flatMap((operation) => {
    const asked = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
    return asked.length === 0 ? [] : [documented(operation, queryOf(asked))];
  });
  const bodies = operations.flatMap((operation) => {
    const schema = jsonOf(operation.requestBody);
    return schema ? [documented(operation, typeOf(schema, 'sent', 1))] : [];
  });
  const answers = operations.flatMap((operation) => {
    const [, success] = Object.entries(operation.responses).find(([status]) => status.startsWith('2')) ?? [];
    const schema = jsonOf(success);
    return schema ? [documented(operation, typeOf(schema, 'answered', 1))] : [];
  });
  return [
    heading,
    interfaceOf('Queries', 'The parameters of each operation, as they are called in its query.', queries),
    interfaceOf('Bodies', 'The JSON that each operation takes.', bodies),
    interfaceOf('Answers', 'The JSON that each operation answers where it succeeds.', answers),
    `/** An error, as RFC 9457 has it. */\nexport type Problem = ${typeOf(components.schemas.Problem!, 'answered', 0)};\n`,
  ].join('\n');
}

const jsonOf = (container: Content | undefined) => container?.content?.['application/json']?.schema;

const interfaceOf = (name: string, what: string, members: readonly string[]): string =>
  `/** ${what} */\nexport interface ${name} {\n${members.join('\n')}\n}\n`;

const documented = ({ operationId, summary }: Operation, type: string): string =>
  `  /** ${summary}. */\n  ${operationId}: ${type};`;

function queryOf(parameters: NonNullable<Operation['parameters']>): string {
  const properties = Object.fromEntries(
    parameters.map(({ name, schema, description }) => [name, description === undefined ? schema : { ...schema, description }]),
  );
  const required = parameters.filter((parameter) => parameter.required).map(({ name }) => name);
  return typeOf({ type: 'object', properties, required }, 'sent', 1);
}

/** What is sent may hold `undefined` for what is not said, so that callers need not leave it out. */
type Direction = 'sent' | 'answered';

function typeOf(schema: Schema, direction: Direction, depth: number): string {
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(one, direction, depth)).join(' | ');
  switch (schema.type) {
    case 'object':
      return objectOf(schema, direction, depth);
    case 'array':
      return arrayOf(schema, direction, depth);
    case 'integer':
      return 'number';
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return schema.type;
    default:
      throw new Error(`the generator does not know ${JSON.stringify(schema)}`);
  }
}

function objectOf({ properties, required = [] }: Schema, direction: Direction, depth: number): string {
  if (!properties) return 'Record<string, unknown>';
  const indent = '  '.repeat(depth + 1);
  const lines = Object.entries(properties).map(([name, schema]) => {
    const comment = schema.description === undefined ? '' : `${indent}/** ${schema.description} */\n`;
    const type = typeOf(schema, direction, depth + 1);
    if (required.includes(name)) return `${comment}${indent}${name}: ${type};`;
    return `${comment}${indent}${name}?: ${type}${direction === 'sent' ? ' | undefined' : ''};`;
  });
  return `{\n${lines.join('\n')}\n${'  '.repeat(depth)}}`;
}

function arrayOf({ items, minItems, maxItems }: Schema, direction: Direction, depth: number): string {
  const item = typeOf(items!, direction, depth);
  if (minItems === 2 && maxItems === 2) return `[${item}, ${item}]`;
  return `${direction === 'sent' ? 'readonly ' : ''}${/[|]/.test(item) && !item.startsWith('{') ? `(${item})` : item}[]`;
}
