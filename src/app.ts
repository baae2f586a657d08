import { randomUUID } from 'node:crypto';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { keyRoutes } from './access/keys.routes.ts';
import { keysService } from './access/keys.service.ts';
import { keysStore } from './access/keys.store.ts';
import { knownKeys } from './access/known-keys.service.ts';
import type { Database } from './db/database.ts';
import { housekeepingService, type RoundOptions } from './housekeeping/housekeeping.service.ts';
import { housekeepingTasks, type TaskOptions } from './housekeeping/tasks.service.ts';
import { changeRoutes } from './following/changes.routes.ts';
import { changesService } from './following/changes.service.ts';
import { happeningsStore } from './following/happenings.store.ts';
import { pagesService } from './following/pages.service.ts';
import { intervalMs, tailService } from './following/tail.service.ts';
import { historyRoutes } from './history/history.routes.ts';
import { historyService } from './history/history.service.ts';
import { membersOverTimeRoutes } from './history/members-over-time.routes.ts';
import { membersOverTimeService } from './history/members-over-time.service.ts';
import { membersOverTimeStore } from './history/members-over-time.store.ts';
import { reportsStore } from './history/reports.store.ts';
import { answerProblem } from './http/answer-problem.ts';
import { atOnce } from './http/at-once.ts';
import { admission, type LimitOptions } from './http/admission.ts';
import { authenticate } from './http/authenticate.ts';
import { parseJsonStrictly } from './http/body.ts';
import { closeConnectionsWhenStopping } from './http/closing.ts';
import { allowOrigins } from './http/cors.ts';
import { eventStreams, type StreamOptions } from './http/event-stream.ts';
import { answerFirst } from './http/fast-path.ts';
import type { LinkOptions } from './http/links.ts';
import { describeApi } from './http/openapi.ts';
import { type LoadOptions, shedLoad } from './http/load.ts';
import { logRequests, type RequestLogOptions } from './http/request-log.ts';
import { type PageFile, pageRoutes } from './http/page.ts';
import { openSockets } from './http/open-sockets.ts';
import { cutSlowReaders } from './http/slow-readers.ts';
import { cutSlowRequests } from './http/slow-requests.ts';
import { setSecurityHeaders } from './http/security-headers.ts';
import { answerUnreadable, ignoreExpectations } from './http/unreadable-requests.ts';
import { answerUnknownRoutes, maxParamLength } from './http/unknown-routes.ts';
import { refuseUndecodableQueries, validatorCompiler } from './http/validation.ts';
import { membershipRoutes } from './memberships/memberships.routes.ts';
import { membershipsService } from './memberships/memberships.service.ts';
import { membershipsStore } from './memberships/memberships.store.ts';
import { makeMetrics, measureRequests } from './http/metrics.ts';
import { measureSnapshot } from './http/snapshot-metrics.ts';
import { measureStreams } from './http/stream-metrics.ts';
import { batchesStore } from './imports/batches.store.ts';
import { carryOut } from './imports/carrying-out.service.ts';
import { importRoutes } from './imports/imports.routes.ts';
import { importsService } from './imports/imports.service.ts';
import { importsStore } from './imports/imports.store.ts';
import { type ImportRunner, importRunner } from './imports/runner.service.ts';
import { stagingStore } from './imports/staging.store.ts';
import { answerFailure, evaluationRoutes, fastEvaluation, isOfFlag } from './openfeature/evaluation.routes.ts';
import { refetchRoutes } from './openfeature/refetch.routes.ts';
import { refetchService } from './openfeature/refetch.service.ts';
import { operatingRoutes } from './operating/operating.routes.ts';
import { obstaclesOf } from './operating/readiness.store.ts';
import { follow, type Followed, type Follower } from './reading/follower.service.ts';
import { wakesStore } from './reading/wakes.store.ts';
import { databaseReader } from './reading/database-reader.service.ts';
import { factsStore } from './reading/facts.store.ts';
import { fastRead, readingRoutes } from './reading/reading.routes.ts';
import { readingService } from './reading/reading.service.ts';
import { redisReader } from './reading/redis/redis-reader.service.ts';
import { valuesStore } from './reading/redis/values.store.ts';
import { logStore } from './reading/snapshot/log.store.ts';
import { type Snapshot, snapshotReader } from './reading/snapshot/snapshot.service.ts';
import { settledStore } from './reading/settled.store.ts';
import { definitionsStore } from './segments/definitions.store.ts';
import { knownUsersStore } from './segments/known-users.store.ts';
import { membersStore } from './segments/members.store.ts';
import { segmentRoutes } from './segments/segments.routes.ts';
import { segmentsService } from './segments/segments.service.ts';
import { segmentsStore } from './segments/segments.store.ts';

export interface ReadingOptions {
  /** What answers default reads. */
  readonly cache: 'snapshot' | 'redis' | 'off';
  /** Needed where `cache` is `redis`. */
  readonly redisUrl?: string;
  /** How long a call to Redis may take. Default 50. */
  readonly redisLimitMs?: number;
  readonly maxStalenessSeconds: number;
}

export interface AppOptions {
  readonly database: Database;
  readonly reading: ReadingOptions;
  readonly links: LinkOptions;
  /** Serves https, with a certificate and its key in PEM. Default: http. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** Addresses and networks of proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed. Default: none. */
  readonly trustProxy?: readonly string[];
  /** Origins whose pages may ask. Default: none. */
  readonly corsOrigins?: readonly string[];
  readonly imports?: ImportOptions;
  /** Default: none. */
  readonly limits?: LimitOptions;
  readonly load?: LoadOptions;
  /** Exports and reports of many users that are sent at a time. Default 8. */
  readonly maxDownloads?: number;
  /**
   * How long a client may leave a head or a body unfinished, a file without a byte, or an answer untaken, before its
   * connection is cut. In milliseconds, default 60,000.
   */
  readonly stallMs?: number;
  /** How long a stop waits for requests under way, before it cuts their connections. In milliseconds, default 30,000. */
  readonly graceMs?: number;
  readonly logger: FastifyBaseLogger;
  /** Default: slower than a second, and one of a thousand. */
  readonly requestLog?: RequestLogOptions;
  /** Nothing depends on it. Default: off. */
  readonly housekeeping?: (TaskOptions & RoundOptions) | 'off';
  readonly streams?: StreamOptions;
  /** The built page. Default: there is none. */
  readonly page?: readonly PageFile[];
}

export interface ImportOptions {
  /** Of a file, unpacked. Default 1 GiB. */
  readonly maxBytes?: number;
  /** Whether this process carries imports out, besides receiving them. Default true. */
  readonly isRunner?: boolean;
  /** Rows that are written together. Default 5,000. */
  readonly batchSize?: number;
}

/** After so long without a word a client is asked whether it is there; the kernel cuts it some ten seconds later. */
const keepAliveInitialDelay = 30_000;

export type App = Awaited<ReturnType<typeof buildApp>>;

/** The whole application on one migrated database. `main.ts` and the tests build the same one. */
export async function buildApp(options: AppOptions) {
  const {
    database,
    reading,
    links,
    imports: importing = {},
    logger,
    tls,
    trustProxy = [],
    corsOrigins = [],
    limits = {},
    load: loadOptions = {},
    maxDownloads = 8,
    stallMs = 60_000,
    graceMs = 30_000,
    requestLog = { slowMs: 1000, sample: 0.001 },
    housekeeping = 'off',
    streams: streaming = {},
    page = [],
  } = options;
  const { clock } = database;
  const storedKeys = keysStore(database);
  // Longer than answers may be old, so that whoever asks while the database is down learns that it is the answer that is too old.
  const streams = eventStreams(streaming);
  const keys = knownKeys(storedKeys, database, {
    maxStalenessMs: reading.maxStalenessSeconds * 2_000,
    onRevoked: streams.endOf,
  });
  const admitted = admission({ find: keys.find, held: keys.inMemory, limits, trustsProxies: trustProxy.length > 0 });
  const definitions = definitionsStore(database);
  const facts = factsStore(database, definitions);
  const settled = settledStore(database);
  const metrics = makeMetrics();
  const logFailure = (what: string) => (error: unknown) => logger.warn({ err: error }, what);
  const wakes = wakesStore(database, logFailure('other processes could not be told of a change'));
  /** What this process holds in memory and brings up to date. */
  const followed: Followed[] = [];
  /** The estimate needs a first answer of the database. */
  const now = async () => {
    if (clock.now() === 0) await definitions.current();
    return clock.now();
  };

  const server = { headersTimeout: stallMs, connectionsCheckingInterval: stallMs / 4, keepAlive: true, keepAliveInitialDelay };
  const app = fastify({
    ...(tls ? { https: { ...server, ...tls, handshakeTimeout: 10_000 } } : { http: server }),
    ...(trustProxy.length > 0 && { trustProxy: [...trustProxy] }),
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }), // failures are logged where they are answered
    childLoggerFactory: (parent) => parent, // who logs names the request
    genReqId: () => randomUUID(),
    bodyLimit: 1_048_576,
    routerOptions: { maxParamLength },
    requestTimeout: 0, // see slow-requests.ts
    forceCloseConnections: 'idle',
    return503OnClosing: false, // see closing.ts
    clientErrorHandler: answerUnreadable,
    // A path that cannot be decoded meets no route and no hook; it needs a key like any other.
    frameworkErrors: (error, request, reply) => {
      reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' });
      const isOpenFeature = isOfFlag(request.url);
      const answer = isOpenFeature ? answerFailure : answerProblem;
      void Promise.try(admitted.keyOf, request, isOpenFeature ? 'evaluate' : 'read', isOpenFeature).then(
        () => answer(error, request, reply),
        (unauthorized: unknown) => answer(unauthorized, request, reply),
      );
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.setErrorHandler(answerProblem);
  app.setValidatorCompiler(validatorCompiler);
  ignoreExpectations(app);
  parseJsonStrictly(app);
  refuseUndecodableQueries(app);
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  // Before anything that may answer or refuse.
  const open = openSockets(app);
  setSecurityHeaders(app);
  allowOrigins(app, corsOrigins);
  closeConnectionsWhenStopping(app, open, graceMs);
  cutSlowRequests(app, stallMs);
  cutSlowReaders(app, open, stallMs);
  measureRequests(app, metrics);
  logRequests(app, logger, requestLog);
  const load = await shedLoad(app, loadOptions, metrics, logger);
  authenticate(app, admitted);
  load.countRequests();
  answerUnknownRoutes(app);
  await describeApi(app);

  // Started with the app, so that one that is built and never listens holds no connection.
  let follower: Follower | undefined;
  let keysFollower: Follower | undefined;
  app.addHook('onReady', async () => {
    // By a loop of its own: a key that is revoked ends while the snapshot is still loading, too.
    keysFollower = follow({ connect: wakes.listen, followed: [keys], onFailure: logFailure('the keys are not followed') });
    if (reading.cache === 'off' && followed.length === 0) return;
    follower = follow({ connect: wakes.listen, followed, onFailure: logFailure('the database is not followed') });
  });
  app.addHook('onClose', async () => {
    await follower?.close();
    await keysFollower?.close();
    await wakes.close();
  });

  if (housekeeping !== 'off') keepHouse(housekeeping);

  const downloads = atOnce(maxDownloads, 'files');
  let heldCounts: Snapshot['membersOf'] = () => undefined;
  const nearby = { redis: readingFromRedis, snapshot: readingFromMemory, off: () => undefined }[reading.cache]();

  await app.register(
    segmentRoutes(
      segmentsService(
        definitions,
        segmentsStore(database),
        membersStore(database),
        heldCounts,
        knownUsersStore(database),
        clock,
        wakes.announce,
      ),
      downloads,
    ),
  );
  const memberships = membershipsService({
    facts,
    settled,
    memberships: membershipsStore(database),
    clock,
    onStale: () => metrics.staleDecisions.inc(),
    nearby,
    onCommit: wakes.announce,
  });
  const reader = readingService({ database: databaseReader(facts, clock), nearby: nearby ?? null });
  await app.register(readingRoutes(reader, memberships));
  answerFirst(app, [fastRead(reader), fastEvaluation(reader)], {
    isLetIn: admitted.isLetIn,
    load,
    open,
    hasCors: corsOrigins.length > 0,
    metrics,
    logger,
    requestLog,
  });
  await app.register(membershipRoutes(memberships));
  await app.register(
    historyRoutes(historyService({ facts, settled, definitions, reports: reportsStore(database) }), links, now, downloads),
  );
  await app.register(
    membersOverTimeRoutes(membersOverTimeService({ definitions, settled, counts: membersOverTimeStore(database) })),
  );
  const happenings = happeningsStore(database);
  const pages = pagesService(happenings, definitions);
  const onStreamFailure = logFailure('the stream of changes is interrupted; it goes on when the database answers');
  const tail = followTail();
  await app.register(changeRoutes(changesService({ definitions, settled, pages, tail, onFailure: onStreamFailure }), streams));
  await app.register(evaluationRoutes(reader, links, now));
  const refetches = refetchService(tail, settled);
  await app.register(refetchRoutes({ refetches, streams, links, now, lives: keys.lives, countRead: admitted.countRead }));
  await app.register(fileImports());
  await app.register(keyRoutes(keysService(storedKeys, keys.forget)));
  await app.register(operatingRoutes(obstaclesOf(database), load, metrics));
  if (page.length > 0) await app.register(pageRoutes(page));

  return app;

  function followTail() {
    const tail = tailService({
      follow(onWake, refresh) {
        const connect = (wake: () => void) =>
          wakes.listen(() => {
            onWake();
            wake();
          });
        return follow({ connect, followed: [{ refresh }], onFailure: onStreamFailure, intervalMs });
      },
      store: happenings,
      pages,
      settled,
      clock,
    });
    measureStreams(metrics.registry, streams.figures, tail.behindMs);
    app.addHook('preClose', async () => streams.close());
    app.addHook('onClose', () => tail.close());
    return tail;
  }

  function fileImports() {
    const { maxBytes = 1_073_741_824, isRunner = true, batchSize } = importing;
    const receiver = randomUUID();
    const [imports, staging] = [importsStore(database), stagingStore(database)];
    let runner: ImportRunner | undefined;
    app.addHook('onReady', async () => {
      if (!isRunner) return;
      const batches = batchesStore(database, definitions);
      const parts = { imports, staging, batches, clock, nearby, onCommit: wakes.announce };
      runner = importRunner({
        imports,
        staging,
        newOwner: randomUUID,
        carryOut: (job, client, owner, isClosing) =>
          carryOut(job, client, isClosing, { ...parts, owner, ...(batchSize === undefined ? {} : { batchSize }) }),
        onFailure: logFailure('an import was interrupted; it is taken up again'),
      });
    });
    app.addHook('onClose', () => runner?.close());
    const service = importsService({
      definitions,
      imports,
      staging,
      clock,
      owner: receiver,
      maxBytes,
      onAccepted: () => runner?.wake(),
    });
    return importRoutes(service, maxBytes, stallMs);
  }

  function keepHouse(options: TaskOptions & RoundOptions) {
    let strays = 0;
    const service = housekeepingService({
      ...options,
      database,
      tasks: housekeepingTasks(definitions, options),
      onFailure: (what, error) => logger.warn({ err: error }, `housekeeping is put off: ${what}`),
      onStrays(rows) {
        metrics.strayRows.set(rows);
        if (rows > 0 && rows !== strays) logger.warn({ rows }, 'rows of history lie in no month of their own');
        strays = rows;
      },
    });
    app.addHook('onReady', async () => service.start());
    app.addHook('onClose', () => service.close());
  }

  function readingFromMemory() {
    const reader = snapshotReader({
      log: logStore(database),
      definitions,
      clock,
      maxStalenessMs: reading.maxStalenessSeconds * 1000,
      wake: () => follower?.wake(),
      onFailure: logFailure('the snapshot was not loaded'),
    });
    measureSnapshot(metrics.registry, reader.figures);
    followed.push(reader);
    heldCounts = reader.membersOf;
    app.addHook('onClose', () => reader.close());
    return reader;
  }

  function readingFromRedis() {
    if (reading.redisUrl === undefined) throw new Error('cache redis needs redisUrl');
    const values = valuesStore({
      url: reading.redisUrl,
      ...(reading.redisLimitMs === undefined ? {} : { limitMs: reading.redisLimitMs }),
      onFailure: logFailure('Redis fails; the database answers instead'),
      onRecovery: () => logger.info('Redis is used again'),
    });
    const reader = redisReader({
      values,
      facts,
      definitions,
      settled,
      clock,
      maxStalenessSeconds: reading.maxStalenessSeconds,
      onBroken: (userId) => logger.warn({ userId }, 'Redis holds of a user what no segmentd wrote; it is replaced'),
    });
    followed.push(reader);
    app.addHook('onReady', async () => values.open());
    app.addHook('onClose', () => values.close());
    return reader;
  }
}
