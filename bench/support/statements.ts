import pino from 'pino';
import { type App, buildApp } from '../../src/app.ts';
import { type Database, openDatabase } from '../../src/db/database.ts';
import type { Where } from './postgres.ts';
import { key } from './service.ts';

export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/**
 * The prepared statements that the application itself sends to answer a request, so that a rival runs the very same ones
 * and none is written down twice. The request is carried out.
 */
export async function recordStatements(
  where: Where,
  request: { method: 'GET' | 'PATCH'; url: string; body?: object },
): Promise<Statement[]> {
  const recorded: Statement[] = [];
  const opened = openDatabase({ connection: { ...where } });
  const database: Database = {
    ...opened,
    pool: recording(opened.pool, recorded),
    connect: async (options) => recording(await opened.connect(options), recorded),
  };
  const app = await buildSilent(database);
  try {
    await app.ready();
    recorded.length = 0;
    const answer = await app.inject({
      method: request.method,
      url: request.url,
      headers: { authorization: `Bearer ${key}` },
      ...(request.body ? { payload: request.body } : {}),
    });
    if (answer.statusCode !== 200) throw new Error(`${request.method} ${request.url}: ${answer.payload}`);
  } finally {
    await app.close();
    await opened.close();
  }
  return recorded;
}

/** The app of this database without a snapshot, its log silent. */
export const buildSilent = (database: Database): Promise<App> =>
  buildApp({
    database,
    reading: { cache: 'off', maxStalenessSeconds: 300 },
    links: { secret: Buffer.alloc(32), ttlSeconds: 3600, publicUrl: null },
    logger: pino({ level: 'error' }),
  });

/** The only one of that name; says which there are when there is none. */
export function statementNamed(statements: readonly Statement[], name: string): Statement {
  const found = statements.find((statement) => statement.name === name);
  if (!found) throw new Error(`no statement ${name} was sent, but ${statements.map(({ name }) => name).join(', ')}`);
  return found;
}

function recording<Queried extends object>(target: Queried, into: Statement[]): Queried {
  return new Proxy(target, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const [asked] = args;
        if (name === 'query' && typeof asked === 'object' && asked !== null && 'name' in asked) {
          into.push({ values: [], ...asked } as unknown as Statement);
        }
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

/**
 * The statement in pgbench's form, ended: the user's id becomes its variable `:user`, all else stands as it was sent. What
 * was decided for one user fits another whose rows are the same.
 */
export function inPgbench({ text, values }: Statement, userId: string): string {
  const sql = text.replaceAll(/\$(\d+)/g, (_, number: string) => literal(values[Number(number) - 1], userId));
  return `${sql.replaceAll(/\s+/g, ' ').trim()};`;
}

function literal(value: unknown, userId: string): string {
  if (value === userId) return ':user';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (!Array.isArray(value)) throw new TypeError(`a parameter that pgbench cannot be told: ${JSON.stringify(value)}`);
  if (value.includes(userId)) return `array[${value.map((item) => literal(item, userId)).join(', ')}]::text[]`;
  return quoted(`{${value.map((item) => (item === null ? 'null' : JSON.stringify(String(item)))).join(',')}}`);
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
