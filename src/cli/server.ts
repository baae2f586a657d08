import { CommandError } from './connect.ts';

/** A running service, as the commands for files reach it. */
export interface Server {
  readonly url: string;
  readonly key: string;
}

/** From `--url` or `SEGMENTD_URL`; the key from `SEGMENTD_KEY` alone, since arguments are seen by everybody on the machine. */
export function serverOf(url: string | undefined, environment: NodeJS.ProcessEnv = process.env): Server {
  const address = url ?? environment.SEGMENTD_URL ?? `http://127.0.0.1:${environment.PORT ?? 8080}`;
  if (!/^https?:\/\//.test(address)) throw new CommandError(`--url must be an http:// or https:// address; got ${address}.`);
  const key = environment.SEGMENTD_KEY ?? environment.ADMIN_KEY;
  if (!key) throw new CommandError('Set SEGMENTD_KEY to a key of the service.');
  return { url: address.replace(/\/+$/, ''), key };
}

/** The service does not answer, or answers that it cannot now: then with its code. */
export class Unreachable extends CommandError {
  readonly code: string | undefined;

  constructor(message: string, options: ErrorOptions & { code?: string | undefined } = {}) {
    super(message, options);
    this.code = options.code;
  }
}

/** The answer, or `CommandError` with what the service says of a refusal. */
export async function send(server: Server, path: string, init: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(server.url + path, {
      ...init,
      headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${server.key}` },
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Unreachable(`${server.url} does not answer: ${reasonOf(error)}.`, { cause: error });
  }
  if (answer.ok) return answer;
  const problem = (await answer.json().catch(() => ({}))) as { detail?: string; code?: string };
  if (answer.status === 503) throw new Unreachable(`${server.url} answered 503: ${problem.detail ?? ''}`, { code: problem.code });
  throw new CommandError(`${problem.detail ?? `${server.url} answered ${answer.status}`} (${problem.code ?? answer.status})`);
}

const reasonOf = (error: unknown): string => {
  const { cause } = error as { cause?: Error };
  return cause?.message || (error as Error).message;
};
