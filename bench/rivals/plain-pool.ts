/**
 * The whole app with its reads of users once more, below `/plain`, as they would be without gathering: one query a request
 * over the pool. A facts store of its own has nobody to share a query with, so each request gets one; making it is a few
 * closures.
 */
import { openDatabase } from '../../src/db/database.ts';
import { answerFirst } from '../../src/http/fast-path.ts';
import { makeMetrics } from '../../src/http/metrics.ts';
import { databaseReader } from '../../src/reading/database-reader.service.ts';
import { factsStore } from '../../src/reading/facts.store.ts';
import type { Reader } from '../../src/reading/reader.ts';
import { fastRead, readingRoutes } from '../../src/reading/reading.routes.ts';
import { readingService } from '../../src/reading/reading.service.ts';
import { definitionsStore } from '../../src/segments/definitions.store.ts';
import { buildSilent } from '../support/statements.ts';

const prefix = '/plain';
const database = openDatabase({ connection: { connectionString: process.env.DATABASE_URL! }, poolSize: 10 });
const definitions = definitionsStore(database);
const alone = () => databaseReader(factsStore(database, definitions), database.clock);
const plain: Reader = {
  read: (userId, minRevision) => alone().read(userId, minRevision),
  factsOf: (userId, minRevision) => alone().factsOf(userId, minRevision),
};

const app = await buildSilent(database);
const memberships = null as never; // only a read of the past asks them
const reading = readingService({ database: plain, nearby: null });
await app.register(readingRoutes(reading, memberships), { prefix });
// Past the framework too, as the app's own.
const { answer, ...route } = fastRead(reading);
const below = (url: string, _onlyHeld: boolean, body: Buffer) => answer(url.slice(prefix.length), false, body);
const isBelow = (url: string) => url.startsWith(prefix);
const load = { isFull: () => false, begin: () => () => {} };
const quiet = { logger: app.log, requestLog: { slowMs: Infinity, sample: 0 } };
answerFirst(app, [{ ...route, isFor: isBelow, answer: below }], {
  isLetIn: () => true,
  load,
  open: { count: () => {} },
  hasCors: false,
  metrics: makeMetrics(),
  ...quiet,
});
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`the plain pool is ready on ${url}\n`);

process.once('SIGTERM', () => void app.close().then(() => database.close()));
