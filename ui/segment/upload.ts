import type { Import } from '../api/answers.ts';
import { addressOf, type Client, type Query } from '../api/client.ts';
import { Failure, refusalOf, unreachable } from '../api/failure.ts';

export interface Sending {
  readonly answer: Promise<Import>;
  /** Breaks it off: of a file that did not come whole nothing is applied. */
  cancel(): void;
}

interface Upload {
  readonly path: string;
  readonly query: Query;
  readonly file: File;
  /** The same for a repeat, so that a file which is sent again after a break is one import. */
  readonly idempotencyKey: string;
  onSent(bytes: number): void;
}

/** Sends a file of ids. By `XMLHttpRequest`, since `fetch` does not say how much of a body has gone. */
export function sendFile(client: Client, { path, query, file, idempotencyKey, onSent }: Upload): Sending {
  const request = new XMLHttpRequest();
  const answer = new Promise<Import>((resolve, reject) => {
    request.upload.addEventListener('progress', ({ loaded }) => onSent(loaded));
    request.addEventListener('load', () => {
      const body = bodyOf(request.responseText);
      if (request.status === 202 && body) resolve(body as Import);
      else if (body) reject(refusalOf(request.status, body));
      else reject(unreachable());
    });
    request.addEventListener('error', () => reject(unreachable()));
    request.addEventListener('abort', () =>
      reject(new Failure(0, { code: 'cancelled', detail: 'The file was not sent; nothing was applied.' })),
    );
    request.open('POST', addressOf(path, query));
    request.setRequestHeader('authorization', client.authorization);
    request.setRequestHeader('content-type', /\.csv$/i.test(file.name) ? 'text/csv' : 'text/plain');
    request.setRequestHeader('idempotency-key', idempotencyKey);
    request.send(file);
  });
  return { answer, cancel: () => request.abort() };
}

function bodyOf(text: string): object | null {
  try {
    return JSON.parse(text) as object;
  } catch {
    return null;
  }
}

/** Names what is sent. Not `randomUUID`, which pages without TLS do not have. */
export const newName = (): string => crypto.getRandomValues(new Uint32Array(4)).join('-');
