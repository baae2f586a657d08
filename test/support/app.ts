import { after } from 'node:test';
import pino from 'pino';
import { newKey, type Scope, sha256Of } from '../../src/access/key.ts';
import { keysStore } from '../../src/access/keys.store.ts';
import { type App, type AppOptions, buildApp, type ImportOptions, type ReadingOptions } from '../../src/app.ts';
import { cloneDatabase, openAgain, type TestDatabase } from './database.ts';
import { contractOf, type OpenApi } from './contract.ts';

export interface Answer {
  status: number;
  // Tests look into bodies of many shapes; the contract has checked each against the document.
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
  headers: Record<string, string | string[] | number | undefined>;
  text: string;
}

export interface Call {
  (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT' | 'OPTIONS' | 'HEAD',
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
}

export interface TestApp {
  app: App;
  database: TestDatabase;
  /** As the key `writer`. Every answer is checked against the OpenAPI document. */
  call: Call;
  /** As a key of that scope, named after it; null: without a key. */
  as(scope: Scope | null): Call;
  keys: Record<Scope, string>;
  /** The same database through another app, as a second process would serve it; it may read in another way. */
  another(reading?: Partial<ReadingOptions>): Promise<Call>;
}

/** The application as production builds it, on a database of its own, or on one given. */
export async function startApp(
  options: {
    logLevel?: string;
    ttlSeconds?: number;
    publicUrl?: string | null;
    reading?: Partial<ReadingOptions>;
    imports?: ImportOptions;
    database?: TestDatabase;
    housekeeping?: AppOptions['housekeeping'];
    limits?: AppOptions['limits'];
    load?: AppOptions['load'];
    maxDownloads?: number;
    stallMs?: number;
    graceMs?: number;
    streams?: AppOptions['streams'];
    tls?: AppOptions['tls'];
    trustProxy?: readonly string[];
    corsOrigins?: readonly string[];
    page?: AppOptions['page'];
  } = {},
): Promise<TestApp> {
  const database = options.database ?? (await cloneDatabase());
  const keys = { evaluate: newKey(), read: newKey(), write: newKey(), admin: newKey() };
  const names = { evaluate: 'browser', read: 'reader', write: 'writer', admin: 'admin' } as const;
  for (const [scope, key] of Object.entries(keys) as [Scope, string][]) {
    await keysStore(database).insert({ name: names[scope], scope }, sha256Of(key));
  }
  const build = async (on: Parameters<typeof buildApp>[0]['database'], readingHere = options.reading) => {
    const app = await buildApp({
      database: on,
      reading: { cache: 'off', maxStalenessSeconds: 300, ...readingHere },
      links: {
        secret: Buffer.from('a secret of the tests'),
        ttlSeconds: options.ttlSeconds ?? 3600,
        publicUrl: options.publicUrl ?? null,
      },
      ...(options.tls && { tls: options.tls }),
      ...(options.trustProxy && { trustProxy: options.trustProxy }),
      ...(options.corsOrigins && { corsOrigins: options.corsOrigins }),
      ...(options.streams && { streams: options.streams }),
      ...(options.page && { page: options.page }),
      ...(options.limits && { limits: options.limits }),
      load: { maxDelayMs: 0, ...options.load }, // a slow machine is no load
      ...(options.maxDownloads !== undefined && { maxDownloads: options.maxDownloads }),
      ...(options.stallMs !== undefined && { stallMs: options.stallMs }),
      ...(options.graceMs !== undefined && { graceMs: options.graceMs }),
      ...(options.housekeeping && { housekeeping: options.housekeeping }),
      imports: options.imports ?? { isRunner: false }, // it asks the database now and then, which some tests count
      logger: pino({ level: options.logLevel ?? process.env.TEST_LOG_LEVEL ?? 'fatal' }),
    });
    after(() => app.close());
    await app.ready();
    return app;
  };
  const app = await build(database);
  const as = (scope: Scope | null) => callWith(app, scope && keys[scope]);
  return {
    app,
    database,
    call: as('write'),
    as,
    keys,
    another: async (reading) => callWith(await build(openAgain(database), reading), keys.write),
  };
}

function callWith(app: App, key: string | null): Call {
  const contract = contractOf(app.swagger() as unknown as OpenApi);
  return async (method, url, body, headers = {}) => {
    const answer = await app.inject({
      method,
      url,
      headers: {
        ...(key ? { authorization: `Bearer ${key}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
    });
    const isJson = /json/.test(answer.headers['content-type'] ?? '');
    const parsed: unknown = isJson && answer.payload !== '' ? answer.json() : answer.payload;
    contract.check(method, url, answer.statusCode, answer.headers['content-type'] ?? '', parsed);
    return { status: answer.statusCode, body: parsed, headers: answer.headers, text: answer.payload };
  };
}
