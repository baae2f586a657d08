import { Agent, type IncomingMessage, request } from 'node:http';
import type { Outcome } from './log.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** `unsent`: nobody listened. */
export interface Answer {
  readonly outcome: Outcome | 'unsent';
  readonly status: number;
  readonly code?: string;
  // What is in it is known by who asked.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
  readonly revision: number;
}

/** An answer after which nobody may be sure is given up after this long. */
const patienceMs = 8_000;

/** 503 that say that nothing was changed. */
const refusals = new Set(['overloaded', 'definitions_busy', 'clock_behind', 'stale_read_refused', 'moment_not_settled']);

const agent = new Agent({ keepAlive: true, maxSockets: 256 });

/** Asks over a connection that is kept. Never fails: what went wrong is in the outcome. */
export async function ask(port: number, key: string, { method, path, body, headers = {} }: Call): Promise<Answer> {
  const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  try {
    const answer = await send(port, method, path, payload, {
      authorization: `Bearer ${key}`,
      ...(payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }),
      ...headers,
    });
    const text = (await answer.toArray()).join('');
    const parsed = text.startsWith('{') ? (JSON.parse(text) as { code?: string }) : {};
    const status = answer.statusCode!;
    const { code } = parsed;
    const outcome = status < 300 ? 'acknowledged' : status < 500 || refusals.has(code ?? '') ? 'refused' : 'unknown';
    return {
      outcome,
      status,
      body: parsed,
      revision: Number(answer.headers.revision ?? NaN),
      ...(code === undefined ? {} : { code }),
    };
  } catch (error) {
    const { code = 'broken', syscall } = error as NodeJS.ErrnoException;
    const outcome = code === 'ECONNREFUSED' && syscall === 'connect' ? 'unsent' : 'unknown';
    return { outcome, status: 0, body: {}, revision: NaN, code };
  }
}

const send = (port: number, method: string, path: string, payload: string | undefined, headers: Record<string, string>) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const signal = AbortSignal.timeout(patienceMs);
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent, signal }, resolve);
    sent.on('error', reject);
    sent.end(payload);
  });

/** The connections that are kept. */
export const hangUp = (): void => agent.destroy();
