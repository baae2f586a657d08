import { connect, type Socket } from 'node:net';

export interface Heard {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** All answers to what was sent, and how it ended. */
export interface Exchange {
  readonly answers: readonly Heard[];
  readonly ending: 'answered' | 'closed' | 'hung';
}

/** How long an answer, or the end of the connection, is waited for. Far above what either takes. */
const limitMs = 20_000;
/** After so long without an answer the client ends its side: what was sent may be no whole request. */
const quietMs = 400;

/** Connections over which bytes go as they are. Those that are still good are used again. */
export function rawClient(port: number) {
  const idle: Socket[] = [];

  const open = (): Socket => {
    const known = idle.pop();
    if (known?.writable && !known.readableEnded) return known;
    return connect({ port, host: '127.0.0.1', noDelay: true }).on('error', () => {}); // a cut connection is an ending
  };

  return {
    /** `isBroken`: where the request ends is not sure. It gets a connection of its own, on which it may be answered more than once. */
    send(method: string, bytes: Buffer, isBroken: boolean): Promise<Exchange> {
      const socket = isBroken ? connect({ port, host: '127.0.0.1' }).on('error', () => {}) : open();
      return new Promise((resolve) => {
        const answers: Heard[] = [];
        let received: Buffer = Buffer.alloc(0);
        const finish = (ending: Exchange['ending']) => {
          clearTimeout(limit);
          clearTimeout(quiet);
          socket.off('data', hear).off('close', closed);
          if (ending === 'answered' && !isBroken && answers.at(-1)!.headers.get('connection') !== 'close') idle.push(socket);
          else socket.destroy();
          resolve({ answers, ending });
        };
        const hear = (part: Buffer) => {
          received = received.length === 0 ? part : Buffer.concat([received, part]);
          for (
            let read;
            (read = readAnswer(received, method === 'HEAD' && answers.length === 0));
            received = received.subarray(read.length)
          )
            if (read.answer.status >= 200) answers.push(read.answer);
          if (answers.length === 0) return;
          if (isBroken) socket.end();
          else finish('answered');
        };
        const closed = () => finish(answers.length > 0 ? 'answered' : 'closed');
        const limit = setTimeout(() => finish('hung'), limitMs);
        const quiet = setTimeout(() => isBroken && socket.end(), quietMs);
        socket.on('data', hear).on('close', closed);
        socket.write(bytes);
      });
    },

    close() {
      for (const socket of idle) socket.destroy();
    },
  };
}

/** The first whole answer in these bytes and its length, or `undefined` where there is none yet. */
function readAnswer(bytes: Buffer, isHead: boolean): { answer: Heard; length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [first, ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first!)?.[1]);
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const start = headEnd + 4;
  if (isHead || status < 200 || status === 204 || status === 304)
    return { answer: { status, headers, body: Buffer.alloc(0) }, length: start };
  if (headers.get('content-type')?.startsWith('text/event-stream')) {
    headers.set('connection', 'close'); // it has no end: its head is the answer
    return { answer: { status, headers, body: Buffer.alloc(0) }, length: bytes.length };
  }
  if (headers.get('transfer-encoding') === 'chunked') {
    const chunked = readChunks(bytes, start);
    return chunked && { answer: { status, headers, body: chunked.body }, length: chunked.end };
  }
  const end = start + Number(headers.get('content-length') ?? 0);
  return bytes.length < end ? undefined : { answer: { status, headers, body: bytes.subarray(start, end) }, length: end };
}

function readChunks(bytes: Buffer, start: number): { body: Buffer; end: number } | undefined {
  const parts: Buffer[] = [];
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    at = lineEnd + 2 + size + 2;
    if (bytes.length < at) return undefined;
    if (size === 0) return { body: Buffer.concat(parts), end: at };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
  }
}
