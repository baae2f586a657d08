import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import closeWithGrace from 'close-with-grace';
import pino from 'pino';
import { newKey, sha256Of } from '../access/key.ts';
import { keysStore } from '../access/keys.store.ts';
import { type App, buildApp } from '../app.ts';
import { type Config, listOf, readConfig } from '../config.ts';
import { migrate } from '../db/migrate.ts';
import { findOrMakeSecret } from '../history/secrets.store.ts';
import { findObstacles } from '../operating/readiness.store.ts';
import { CommandError, connect, type Connected, untilAnswered } from './connect.ts';
import { logOutput } from './log-output.ts';
import { readPage } from './page.ts';
import { onStopSignals, stopSignals } from './signals.ts';

/** How long a stop may take: what requests under way may, before they are cut, and a little to end in order after that. */
const stopMs = 34_000;

/** What has been opened so far, to be closed in the opposite order. */
interface Running {
  connected?: Connected;
  app?: App;
}

/**
 * Runs the service until it is told to stop, which may be before it is ready: what is being opened is waited for and closed.
 * Told so once more, it cuts the requests under way.
 */
export async function serve(): Promise<void> {
  const config = readConfig();
  const tls = readCertificate(config);
  const logger = pino({ level: config.LOG_LEVEL }, logOutput());
  const told = new AbortController();
  const running: Running = {};
  let starting = Promise.resolve();
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= closeAll(running));
  const stopping = closeWithGrace(
    {
      delay: stopMs,
      skip: ['beforeExit', ...stopSignals],
      logger: {
        error: (...words: unknown[]) =>
          logger.error({ err: words.find((word) => word instanceof Error) }, `stopping: ${String(words[0])}`),
      },
    },
    async ({ err }) => {
      if (err) logger.error({ err }, 'stopping after a failure');
      told.abort();
      await starting.catch(() => {}); // a start that was broken off
      await close();
    },
  );
  const cut = (signal: string) => {
    logger.warn(`${signal} again: what is under way is cut`);
    running.app?.server.closeAllConnections();
  };
  const ignoreSignals = onStopSignals((signal) => {
    if (told.signal.aborted) return cut(signal); // a failure began the stop
    if (closing) return; // so did a start that failed, and there is nothing to cut
    logger.info(`stopping (${signal})`);
    stopping.close();
  }, cut);
  try {
    starting = start(running, config, tls, logger, told.signal);
    await starting;
  } catch (error) {
    if (told.signal.aborted) return; // the stop goes on
    stopping.uninstall();
    await close().catch((failure: unknown) => logger.error({ err: failure }, 'not all was closed'));
    ignoreSignals();
    throw error;
  }
}

async function closeAll({ app, connected }: Running): Promise<void> {
  try {
    await app?.close();
  } finally {
    await connected?.close();
  }
}

async function start(running: Running, config: Config, tls: Certificate | undefined, logger: pino.Logger, signal: AbortSignal) {
  const log = (line: string) => logger.info(line);
  const { database } = (running.connected = await connect(config, 'serve', log, signal));
  // It may go away at any step, as where both are started anew.
  const steadily = <T>(step: () => Promise<T>) => untilAnswered(step, config.DATABASE_WAIT_SECONDS, log, signal);
  for (const { name } of await steadily(() => migrate(database.pool))) logger.info(`migrated: ${name}`);
  const obstacles = await steadily(() => findObstacles(database));
  if (obstacles.length > 0) throw new CommandError(`The database cannot be used: ${obstacles.join('; ')}.`);

  const secret = config.LINK_SECRET ? Buffer.from(config.LINK_SECRET) : await steadily(() => findOrMakeSecret(database, 'links'));
  const links = { secret, ttlSeconds: config.LINK_TTL_SECONDS, publicUrl: config.PUBLIC_URL?.replace(/\/+$/, '') ?? null };
  const reading = {
    cache: config.CACHE,
    maxStalenessSeconds: config.MAX_STALENESS_SECONDS,
    ...(config.REDIS_URL === undefined ? {} : { redisUrl: config.REDIS_URL }),
  };
  const limits = {
    failedKeysPerMinute: config.FAILED_KEYS_PER_MINUTE,
    readsPerSecond: config.KEY_READS_PER_SECOND ?? null,
    writesPerSecond: config.KEY_WRITES_PER_SECOND ?? null,
  };
  const requestLog = { slowMs: config.SLOW_REQUEST_MS, sample: config.LOG_SAMPLE };
  const imports = { maxBytes: config.MAX_IMPORT_BYTES };
  const housekeeping = { changesHours: config.CHANGES_HOURS, historyMonths: config.HISTORY_MONTHS ?? null };
  const page = readPage();
  if (page.length === 0) logger.warn('there is no page at /ui/: npm run build:ui makes it');
  const app = (running.app = await buildApp({
    database,
    reading,
    links,
    ...(tls && { tls }),
    trustProxy: listOf(config.TRUST_PROXY),
    corsOrigins: listOf(config.CORS_ORIGINS),
    imports,
    limits,
    load: { maxRequests: config.MAX_REQUESTS },
    maxDownloads: config.MAX_DOWNLOADS,
    logger,
    requestLog,
    housekeeping,
    page,
  }));
  const address = await listen(app, config);
  const first = config.ADMIN_KEY ?? newKey();
  const isMade = await steadily(() => keysStore(database).insertFirst({ name: 'admin', scope: 'admin' }, sha256Of(first)));
  if (isMade && !config.ADMIN_KEY) tellFirstKey(first, address);
  logger.info(`segmentd is ready on ${address}`);
}

interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** The files of `TLS_CERT` and `TLS_KEY`, which fit each other. They are read once, so a new certificate needs a restart. */
function readCertificate({ TLS_CERT, TLS_KEY }: Config): Certificate | undefined {
  if (TLS_CERT === undefined || TLS_KEY === undefined) return undefined;
  const [cert, key] = [readPem('TLS_CERT', TLS_CERT), readPem('TLS_KEY', TLS_KEY)];
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new CommandError(
      `TLS_CERT and TLS_KEY: they are no certificate and its private key, without a passphrase, in PEM (${(error as Error).message}).`,
      { cause: error },
    );
  }
  return { cert, key };
}

function readPem(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CommandError(`${name}: the file cannot be read (${(error as Error).message}).`, { cause: error });
  }
}

async function listen(app: App, { HOST, PORT }: Config): Promise<string> {
  // For `localhost` the framework would listen on all that it stands for, on each further one by a server with less to it.
  const host = HOST === 'localhost' ? '127.0.0.1' : HOST;
  try {
    return await app.listen({ host, port: PORT });
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw new CommandError(`HOST and PORT: ${HOST}:${PORT} cannot be listened on (${error.message}).`, { cause: error });
  }
}

/** On the very first start somebody must be able to come in: by the key in `ADMIN_KEY`, or by this one, shown this once. */
function tellFirstKey(key: string, address: string): void {
  process.stdout.write(
    `\nThis is the first start, so here is the first key, "admin". It is shown this once:\n\n  ${key}\n\nTry it:\n\n` +
      `  curl -s ${address}/v1/segments -H 'Authorization: Bearer ${key}'\n\n`,
  );
}
