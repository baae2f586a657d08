import { randomSource } from '../model/random-history.ts';
import { ask, type Answer, type Call } from './http.ts';
import type { Asked, Log } from './log.ts';
import { type Operation, randomOperation } from './operations.ts';
import { recordsOf, type Sent, shownOf } from './recording.ts';
import { type Request, requestOf } from './requests.ts';

export interface Counts {
  /** By kind. */
  readonly operations: Map<string, number>;
  readonly outcomes: Record<Asked['outcome'], number>;
  /** By code, of those that were refused or are unknown. */
  readonly codes: Map<string, number>;
  /** Answers that no fault explains. */
  readonly unexpected: string[];
  done: number;
}

export interface ClientOptions {
  readonly actor: string;
  readonly key: string;
  readonly seed: number;
  /** It only reads. */
  readonly isReader: boolean;
  readonly services: readonly { readonly name: string; readonly port: number }[];
  readonly log: Log;
  readonly counts: Counts;
  readonly goesOn: () => boolean;
}

/** After a service did not listen, or could not answer. */
const pauseMs = 100;

/** One client: one operation after the other, each at a service by chance, until it is told to stop. */
export async function runClient({ actor, key, seed, isReader, services, log, counts, goesOn }: ClientOptions) {
  const random = randomSource(seed);
  /** The revisions of its last changes, by user; and the last that any answer told. */
  const own = new Map<string, number>();
  let last: string | undefined;
  let seen = 0;
  /** Changes that were answered to be scheduled. */
  const scheduled = new Map<string, number>();

  const timed = async (call: Call): Promise<{ answer: Answer; asked: Asked } | undefined> => {
    const service = random.one(services);
    const [sentAt, from] = [Date.now(), performance.now()];
    const answer = await ask(service.port, key, call);
    const [gotAt, to] = [Date.now(), performance.now()];
    if (answer.outcome === 'unsent') {
      await wait(pauseMs);
      return undefined;
    }
    const { outcome, code } = answer;
    return {
      answer,
      asked: { sentAt, gotAt, from, to, actor, service: service.name, outcome, ...(code === undefined ? {} : { code }) },
    };
  };

  const note = (operation: Operation, { call }: Request, { outcome, code = '', status, body }: Answer) => {
    counts.done++;
    add(counts.operations, nameOf(operation));
    counts.outcomes[outcome as Asked['outcome']]++;
    if (outcome !== 'acknowledged') add(counts.codes, code);
    const isExpected =
      status < 300 ||
      status === 503 ||
      expected.some(([path, known]) => path.test(`${call.method} ${call.path}`) && known.test(code));
    const isTooLate = code === 'invalid_request' && call.method === 'PATCH' && /must lie/.test(JSON.stringify(body));
    const isTooEarly = operation.kind === 'at' && operation.ago < 0 && /lies in the future/.test(JSON.stringify(body));
    if (!isExpected && !isTooLate && !isTooEarly && counts.unexpected.length < 20)
      counts.unexpected.push(`${call.method} ${call.path} ${JSON.stringify(call.body ?? '')}: ${status} ${JSON.stringify(body)}`);
  };

  const learn = ({ operation, asked, answer }: Sent) => {
    const { revision } = answer.body;
    if (asked.outcome !== 'acknowledged') return;
    if (revision !== undefined && revision !== null) seen = Math.max(seen, Number(revision));
    if (operation.kind === 'change') own.set((last = operation.userId), Number(revision));
    if (operation.kind !== 'segment' || !answer.body.slug) return;
    const [next] = shownOf(answer.body).scheduled;
    if (next) scheduled.set(operation.slug, next.at);
  };

  /** Carries it out and writes down what came of it. */
  const run = async (operation: Operation) => {
    const request = requestOf(operation, { own, last, seen, scheduled });
    const result = await timed(request.call);
    if (!result) return;
    const { answer, asked } = result;
    note(operation, request, answer);
    if (answer.status === 0 || answer.status === 503) await wait(pauseMs);
    const isImporting = operation.kind === 'import' && asked.outcome === 'acknowledged';
    const doneAt = isImporting ? await untilOver(answer.body.id as string) : undefined;
    const sent = { ...request, operation, asked, answer, ...(doneAt === undefined ? {} : { doneAt }) };
    learn(sent);
    for (const record of recordsOf(sent)) log.write(record);
  };

  /** Looks whether an import is over, for some seconds. These looks are no operations. */
  const untilOver = async (jobId: string): Promise<number | undefined> => {
    for (let looks = 0; looks < 50; looks++, await wait(100)) {
      const { outcome, body } = await ask(services[looks % services.length]!.port, key, {
        method: 'GET',
        path: `/v1/imports/${jobId}`,
      });
      if (outcome === 'acknowledged' && !['receiving', 'running'].includes(body.state)) return Date.now();
    }
    return undefined;
  };

  for (let n = 0; goesOn(); n++) await run(randomOperation(random, actor, n, isReader));
}

/** Refusals that the operations bring about. */
const expected = [
  [/^PATCH \/v1\/users/, /^(segment_not_found|group_conflict)$/],
  [/ \/v1\/segments/, /^(segment_not_found|segment_exists|group_full|scheduled_change_not_found)$/],
  [/^GET \/v1\/users\/[^/]+\/segments\//, /^segment_not_found$/],
] as const;

const nameOf = (operation: Operation): string =>
  operation.kind === 'read' ? `${operation.how} ${operation.isLookup ? 'lookup' : 'read'}` : operation.kind;

const add = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
