/**
 * The whole app with its reads of users once more, below `/plain`, as they would be without gathering: one query a request
 * over the pool. A facts store of its own has nobody to share a query with, so each request gets one; making it is a few
 * closures.
 */
import { openDatabase } from '../../src/db/database.ts';
import { databaseReader } from '../../src/reading/database-reader.service.ts';
import { factsStore } from '../../src/reading/facts.store.ts';
import type { Reader } from '../../src/reading/reader.ts';
import { readingRoutes } from '../../src/reading/reading.routes.ts';
import { readingService } from '../../src/reading/reading.service.ts';
import { definitionsStore } from '../../src/segments/definitions.store.ts';
import { buildSilent } from '../support/statements.ts';

const database = openDatabase({ connection: { connectionString: process.env.DATABASE_URL! }, poolSize: 10 });
const definitions = definitionsStore(database);
const plain: Reader = {
  read: (userId, minRevision) => databaseReader(factsStore(database, definitions), database.clock).read(userId, minRevision),
};

const app = await buildSilent(database);
const memberships = null as never; // only a read of the past asks them
await app.register(readingRoutes(readingService({ database: plain, nearby: null }), memberships), { prefix: '/plain' });
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`the plain pool is ready on ${url}\n`);

process.once('SIGTERM', () => void app.close().then(() => database.close()));
