import pino from 'pino';
import { buildApp } from '../../src/app.ts';
import { openDatabase } from '../../src/db/database.ts';
import type { OpenApi } from './contract.ts';

/** The OpenAPI document. Needs no database: none is asked. */
export async function apiDocument(): Promise<OpenApi> {
  const database = openDatabase({ connection: {} });
  const app = await buildApp({
    database,
    reading: { cache: 'off', maxStalenessSeconds: 300 },
    links: { secret: Buffer.alloc(32), ttlSeconds: 3600, publicUrl: null },
    logger: pino({ level: 'silent' }),
  });
  await app.ready();
  const document = app.swagger() as unknown as OpenApi;
  await app.close();
  await database.close();
  return document;
}
