import { createClient, defineScript, ErrorReply, type CommandParser } from '@redis/client';
import { gather } from '../../db/gather.ts';
import { breaker } from './breaker.ts';

export interface ValuesOptions {
  readonly url: string;
  /** How long a call may take. Default 50. */
  readonly limitMs?: number;
  /** For how long Redis is left alone after a call failed or took too long. Default 1,000. */
  readonly pauseMs?: number;
  /** A connection on which nothing was answered for so long while it was asked is given up. Default 5,000. */
  readonly silenceMs?: number;
  readonly onFailure: (error: unknown) => void;
  readonly onRecovery: () => void;
}

export type ValuesStore = ReturnType<typeof valuesStore>;

const [firstPauseMs, longestPauseMs] = [50, 2_000];

/** Between two lines in the log about writes that Redis refuses. */
const refusalsMs = 60_000;

/**
 * Texts in one Redis, one key a user. It never throws and never takes longer than the limit: where Redis is down, slow or
 * refuses, nothing is found and nothing is put.
 */
export function valuesStore(options: ValuesOptions) {
  const { limitMs = 50, pauseMs = 1_000, silenceMs = 5_000, onFailure, onRecovery } = options;
  const guard = breaker({ pauseMs, now: () => performance.now() });
  const closing = new AbortController();
  let connection: Connection | undefined;
  let prefix: string | undefined;
  let silentSince: number | undefined;
  let refusalToldAt = -Infinity;
  let running: Promise<void> | undefined;

  const failed = (error: unknown) => {
    if (guard.failed() && !closing.signal.aborted) onFailure(error);
  };

  /** `undefined` where Redis does not answer in time, or is not to be asked. */
  const ask = async <T>(question: (client: Client) => Promise<T>): Promise<T | undefined> => {
    const asked = connection;
    if (!asked?.client.isReady || !guard.mayAsk()) return undefined;
    try {
      const answer = await within(limitMs, question(asked.client));
      silentSince = undefined;
      if (guard.succeeded()) onRecovery();
      return answer;
    } catch (error) {
      if (error instanceof ErrorReply) silentSince = undefined;
      else if (error instanceof TookTooLong) {
        silentSince ??= performance.now();
        // The network swallows everything, or the address is another machine by now.
        if (performance.now() - silentSince > silenceMs) asked.giveUp(new Error(`Redis was silent for ${silenceMs} ms`));
      }
      failed(error);
      return undefined;
    }
  };

  const find = gather<string, string | null>({
    lanes: Infinity, // Redis takes them one after the other anyway, and nobody waits for a lane that hangs
    maxItems: 1_000,
    run: async (userIds) => {
      const keyPrefix = prefix;
      const found =
        keyPrefix === undefined ? undefined : await ask((client) => client.mGet(userIds.map((userId) => keyPrefix + userId)));
      return found ?? userIds.map(() => null);
    },
  });

  /** One connection until it fails. The library's own reconnecting has no limit for a server that accepts and says nothing. */
  const connectOnce = async (): Promise<never> => {
    const made = connectTo(options.url);
    const stop = () => made.giveUp(new Error('closed'));
    closing.signal.addEventListener('abort', stop);
    try {
      await within(5_000, Promise.race([made.client.connect(), made.ended]));
      silentSince = undefined;
      connection = made;
      return await made.ended;
    } finally {
      closing.signal.removeEventListener('abort', stop);
      connection = undefined;
      made.client.destroy();
    }
  };

  const stayConnected = async () => {
    let waitMs = firstPauseMs;
    while (!closing.signal.aborted) {
      const startedAt = performance.now();
      await connectOnce().catch(failed);
      if (performance.now() - startedAt > longestPauseMs) waitMs = firstPauseMs;
      await pause(waitMs, closing.signal);
      waitMs = Math.min(longestPauseMs, waitMs * 2);
    }
  };

  return {
    /** Connects, now and whenever the connection is lost. */
    open() {
      running ??= stayConnected();
    },

    /** Whose values these are: keys begin with that from now on. Before it is named nothing is found or put. */
    name(owner: string | null) {
      prefix = owner === null ? undefined : `segmentd:1:${owner}:`;
    },

    /** The text about a user; null where there is none or Redis cannot say. Those asked for in one tick share a call. */
    find,

    /**
     * Puts a text that begins with `[` and its order, unless a later one is there, for `livesMs`. `instead`: a text that is
     * to be replaced whatever its order. Where there is no room what was there is taken away. Whether Redis now holds this
     * or a later one.
     */
    async put(userId: string, text: string, livesMs: number, instead = ''): Promise<boolean> {
      const key = prefix === undefined ? undefined : prefix + userId;
      const said =
        key === undefined ? undefined : await ask((client) => client.putLater(key, text, livesMs, instead).catch(refusalOf));
      if (said === undefined) return false;
      if (said === 'put' || said === 'later') return true;
      if (performance.now() - refusalToldAt > refusalsMs) {
        refusalToldAt = performance.now();
        onFailure(new Error(`Redis refuses what it is given: ${said}`));
      }
      return false;
    },

    async close(): Promise<void> {
      closing.abort();
      await running;
    },
  };
}

/**
 * One key, so it runs on any Redis. What is there and cannot be ordered is replaced. Deleting is allowed where a full Redis
 * takes nothing, so that no old value outlives a change.
 */
const putLaterText = `local known = redis.pcall('GET', KEYS[1])
if type(known) == 'string' and known ~= ARGV[3] then
  local order = tonumber(string.match(known, '^%[(%d+),'))
  if order and order > tonumber(string.match(ARGV[1], '^%[(%d+),')) then return 'later' end
end
local put = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if not put.err then return 'put' end
redis.pcall('DEL', KEYS[1])
return put.err`;

const putLater = defineScript({
  SCRIPT: putLaterText,
  NUMBER_OF_KEYS: 1,
  parseCommand(parser: CommandParser, key: string, text: string, livesMs: number, instead: string) {
    parser.pushKey(key);
    parser.push(text, String(livesMs), instead);
  },
  transformReply: (reply: unknown) => String(reply),
});

type Client = Connection['client'];
type Connection = ReturnType<typeof connectTo>;

function connectTo(url: string) {
  const client = createClient({
    url,
    RESP: 2, // any server and proxy speaks it, and nothing here needs more
    scripts: { putLater },
    disableOfflineQueue: true,
    commandOptions: { timeout: 0 }, // a timer a call; ours is one a batch
    socket: { reconnectStrategy: false, connectTimeout: 5_000 },
  });
  let giveUp!: (reason: unknown) => void;
  const ended = new Promise<never>((_, reject) => (giveUp = reject));
  ended.catch(() => {}); // whoever waits for it hears of it
  client.on('error', giveUp);
  client.on('end', () => giveUp(new Error('the connection to Redis was closed')));
  return { client, ended, giveUp };
}

/** A Redis that takes nothing may still be read. */
function refusalOf(error: unknown): string {
  if (error instanceof ErrorReply) return error.message;
  throw error;
}

class TookTooLong extends Error {}

/** Fails after the limit; what comes later is dropped. */
function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    // Where this process was busy the answer may lie in the socket, and is read between timers and immediates.
    const timer = setTimeout(() => setImmediate(() => reject(new TookTooLong(`Redis took longer than ${limitMs} ms`))), limitMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
