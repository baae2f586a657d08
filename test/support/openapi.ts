import { writeFile } from 'node:fs/promises';
import pino from 'pino';
import { buildApp } from '../../src/app.ts';
import { openDatabase } from '../../src/db/database.ts';

/** Writes the OpenAPI document to the file named on the command line. Needs no database: none is asked. */
const database = openDatabase({ connection: {} });
const app = await buildApp({
  database,
  reading: { cache: 'off', maxStalenessSeconds: 300 },
  links: { secret: Buffer.alloc(32), ttlSeconds: 3600, publicUrl: null },
  logger: pino({ level: 'silent' }),
});
await app.ready();
await writeFile(process.argv[2]!, JSON.stringify(app.swagger(), null, 2));
await app.close();
await database.close();
