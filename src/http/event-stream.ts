import { Readable } from 'node:stream';

/** What a stream of events is made of. */
export interface EventSource {
  /** The next bytes, whole events; `undefined`: nothing now, and `news` will be called. Asked as fast as the reader takes them. */
  take(): Buffer | undefined;
  /** What is sent when there was nothing for a while. */
  rest(): string;
  /** The reader is gone, or was sent away. */
  close(): void;
}

/** What a source tells its stream. */
export interface Reader {
  /** There is something to take. */
  news(): void;
  /** There is nothing more to come. */
  end(): void;
}

export interface StreamOptions {
  /** How long nothing is sent before a comment is. Default 15,000: less than the minute after which proxies give up. */
  readonly restMs?: number;
  /** How long a reader may take nothing of what waits for it before it is cut. Default 30,000. */
  readonly stallMs?: number;
}

/** What is told of the streams of a process. */
export interface StreamFigures {
  readonly open: number;
  readonly bytes: number;
  readonly cut: number;
}

export type EventStreams = ReturnType<typeof eventStreams>;

/** Of a socket and of what waits for it: this much, and one piece more. */
const highWaterMark = 16_384;

/**
 * Endless answers of `text/event-stream` (HTML, "Server-sent events"). What waits for a reader is little and bounded: more is
 * taken only when the socket has room. Who takes nothing for long is cut; who stays hears of it from time to time that the
 * connection lives.
 */
export function eventStreams({ restMs = 15_000, stallMs = 30_000 }: StreamOptions = {}) {
  const open = new Set<EventStream>();
  const opening = new Set<{ readonly keyName: string; isEnded: boolean }>();
  let timer: NodeJS.Timeout | undefined;
  let [bytes, cut] = [0, 0];
  let isClosing = false;

  const look = () => {
    const now = performance.now();
    for (const stream of open) {
      if (stream.isStalledSince(now - stallMs)) {
        cut++;
        stream.destroy();
      } else if (stream.restsSince(now - restMs)) stream.rest();
    }
  };

  return {
    /** A stream for a key, which ends with it, also where that comes while its source is still being found. */
    async open(keyName: string, finding: Promise<(reader: Reader) => EventSource>): Promise<Readable> {
      const own = { keyName, isEnded: false };
      opening.add(own);
      const connect = await finding.finally(() => opening.delete(own));
      const stream = new EventStream(keyName, connect, {
        onSent: (count) => (bytes += count),
        onClose() {
          open.delete(stream);
          if (open.size > 0) return;
          clearInterval(timer);
          timer = undefined;
        },
      });
      open.add(stream);
      timer ??= setInterval(look, Math.min(1_000, restMs / 2, stallMs / 2));
      if (isClosing || own.isEnded) stream.end();
      return stream;
    },

    /** Ends the streams of these keys. */
    endOf(isEnded: (keyName: string) => boolean): void {
      for (const stream of open) if (isEnded(stream.keyName)) stream.end();
      for (const one of opening) one.isEnded ||= isEnded(one.keyName);
    },

    /** Ends all, those that come too: a stop of the process waits for no reader. */
    close(): void {
      isClosing = true;
      for (const stream of open) stream.end();
    },

    figures: (): StreamFigures => ({ open: open.size, bytes, cut }),
  };
}

class EventStream extends Readable {
  readonly keyName: string;
  readonly #source: EventSource;
  readonly #onSent: (bytes: number) => void;
  readonly #onClose: () => void;
  /** Whether there is room for more. */
  #wants = false;
  #isOver = false;
  #since = performance.now();

  constructor(
    keyName: string,
    connect: (reader: Reader) => EventSource,
    { onSent, onClose }: { onSent: (bytes: number) => void; onClose: () => void },
  ) {
    super({ highWaterMark });
    this.keyName = keyName;
    this.#onSent = onSent;
    this.#onClose = onClose;
    this.#source = connect({ news: () => this.#pump(), end: () => this.end() });
  }

  override _read(): void {
    if (!this.#wants) this.#since = performance.now();
    this.#wants = true;
    this.#pump();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#isOver = true;
    this.#source.close();
    this.#onClose();
    callback(error);
  }

  /** Nothing more comes; what was taken is still sent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.push(null);
  }

  isStalledSince = (moment: number): boolean => !this.#wants && this.#since < moment;
  restsSince = (moment: number): boolean => this.#wants && !this.#isOver && this.#since < moment;
  rest = (): void => this.#send(Buffer.from(this.#source.rest()));

  #pump(): void {
    while (this.#wants && !this.#isOver) {
      const bytes = this.#source.take();
      if (!bytes) return;
      this.#send(bytes);
    }
  }

  #send(bytes: Buffer): void {
    this.#since = performance.now();
    this.#onSent(bytes.length);
    this.#wants = this.push(bytes);
  }
}
