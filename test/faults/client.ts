import { randomSource } from '../model/random-history.ts';
import { ask, type Answer, type Call } from './http.ts';
import type { Asked, Log, LogRecord, Shown, Told } from './log.ts';
import { type Operation, randomOperation } from './operations.ts';

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
  readonly services: readonly { readonly name: string; readonly port: number }[];
  readonly log: Log;
  readonly counts: Counts;
  readonly goesOn: () => boolean;
}

/** After a service did not listen, or could not answer. */
const pauseMs = 100;

/** One client: one operation after the other, each at a service by chance, until it is told to stop. */
export async function runClient({ actor, key, seed, services, log, counts, goesOn }: ClientOptions) {
  const random = randomSource(seed);
  /** The revisions of its last changes, by user; and the last that any answer told. */
  const own = new Map<string, number>();
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

  const note = (kind: string, call: Call, { outcome, code = '', status, body }: Answer) => {
    counts.done++;
    add(counts.operations, kind);
    counts.outcomes[outcome as Asked['outcome']]++;
    if (outcome !== 'acknowledged') add(counts.codes, code);
    const isExpected =
      status < 300 ||
      status === 503 ||
      expected.some(([path, known]) => path.test(`${call.method} ${call.path}`) && known.test(code));
    const isTooLate = code === 'invalid_request' && call.method === 'PATCH' && /must lie/.test(JSON.stringify(body));
    if (!isExpected && !isTooLate && counts.unexpected.length < 20)
      counts.unexpected.push(`${call.method} ${call.path} ${JSON.stringify(call.body ?? '')}: ${status} ${JSON.stringify(body)}`);
  };

  const told = ({ body }: Answer): Told => {
    const answer = { segments: (body.segments ?? []) as string[], asOf: Date.parse(body.as_of), revision: Number(body.revision) };
    seen = Math.max(seen, answer.revision);
    return answer;
  };

  /** Carries it out and writes down what came of it. */
  const run = async (operation: Operation) => {
    const { call, minRevision, at } = callOf(operation, { own, seen, scheduled });
    const result = await timed(call);
    if (!result) return;
    const { answer, asked } = result;
    note(
      operation.kind === 'read' ? `${operation.how}${operation.isLookup ? ' lookup' : ' read'}` : operation.kind,
      call,
      answer,
    );
    const isAcknowledged = asked.outcome === 'acknowledged';
    if (answer.status === 0 || answer.status === 503) await wait(pauseMs);
    const write = (record: LogRecord) => log.write(record);
    if (operation.kind === 'change') {
      const { userId } = operation;
      const { added, removed, unchanged } = answer.body;
      write({
        ...asked,
        kind: 'change',
        userId,
        wanted: call.body as object,
        ...(isAcknowledged ? { answer: { ...told(answer), added, removed, unchanged } } : {}),
      });
      if (isAcknowledged) own.set(userId, Number(answer.body.revision));
    } else if (operation.kind === 'segment') {
      const { operation: what, slug, percent, startsIn } = operation;
      const shown = isAcknowledged && answer.body.slug ? { answer: shownOf(answer.body) } : {};
      if (shown.answer?.scheduled[0]) scheduled.set(slug, shown.answer.scheduled[0].at);
      write({
        ...asked,
        kind: 'segment',
        operation: what,
        slug,
        percent,
        ...(startsIn === undefined ? {} : { effectiveAt: at! }),
        ...(isAcknowledged ? { revision: answer.revision } : {}),
        ...shown,
      });
    } else if (operation.kind === 'import') {
      const jobId = isAcknowledged ? (answer.body.id as string) : undefined;
      const doneAt = jobId === undefined ? undefined : await untilOver(jobId);
      write({
        ...asked,
        kind: 'import',
        key: operation.key,
        users: operation.users,
        ...(jobId === undefined ? {} : { jobId }),
        ...(doneAt === undefined ? {} : { doneAt }),
      });
    } else if (operation.kind === 'why' && (isAcknowledged || asked.code === 'segment_not_found')) {
      const { userId, slug } = operation;
      write({
        ...asked,
        kind: 'why',
        userId,
        slug,
        ...(at === undefined ? {} : { at }),
        answer: isAcknowledged ? answer.body : null,
      });
    } else if (!isAcknowledged) {
      return; // a read that was refused said nothing
    } else if (operation.kind === 'history') {
      const { events, to, next_cursor } = answer.body;
      const texts = events.map(eventText) as string[];
      write({
        ...asked,
        kind: 'history',
        userId: operation.userId,
        period: [at!, Infinity],
        answer: { events: texts, to: Date.parse(to), hasMore: next_cursor !== null },
      });
    } else if (operation.kind === 'at') {
      write({ ...asked, kind: 'read', how: 'at', userId: operation.userId, at: at!, answer: told(answer) });
    } else if (operation.kind === 'read') {
      const { how, isLookup } = operation;
      const shared = {
        ...asked,
        kind: 'read',
        how,
        ...(isLookup ? { isLookup } : {}),
        ...(minRevision === undefined ? {} : { minRevision }),
      } as const;
      if (!isLookup) write({ ...shared, userId: operation.userIds[0]!, answer: told(answer) });
      else
        for (const { user_id: userId, segments } of answer.body.users)
          write({ ...shared, userId, answer: { ...told(answer), segments: segments ?? [] } });
    }
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

  for (let n = 0; goesOn(); n++) await run(randomOperation(random, actor, n));
}

/** Refusals that the operations bring about. */
const expected = [
  [/^PATCH \/v1\/users/, /^(segment_not_found|group_conflict)$/],
  [/ \/v1\/segments/, /^(segment_not_found|segment_exists|group_full|scheduled_change_not_found)$/],
  [/^GET \/v1\/users\/[^/]+\/segments\//, /^segment_not_found$/],
] as const;

interface Known {
  readonly own: ReadonlyMap<string, number>;
  readonly seen: number;
  readonly scheduled: ReadonlyMap<string, number>;
}

/** The request, and what it asks for in numbers. */
function callOf(operation: Operation, { own, seen, scheduled }: Known): { call: Call; minRevision?: number; at?: number } {
  const now = Date.now();
  const text = (moment: number) => new Date(moment).toISOString();
  if (operation.kind === 'change') {
    const { userId, wanted, startsIn, endsIn } = operation;
    const moments = {
      ...(startsIn === undefined ? {} : { starts_at: text(now + startsIn) }),
      ...(endsIn === undefined ? {} : { expires_at: text(now + endsIn) }),
    };
    return { call: { method: 'PATCH', path: `/v1/users/${userId}/segments`, body: { ...wanted, ...moments } } };
  }
  if (operation.kind === 'read') {
    const { userIds, how, isLookup, isOwn } = operation;
    const known = isOwn ? Math.max(0, ...userIds.map((id) => own.get(id) ?? 0)) : 0;
    const minRevision = known > 0 ? known : seen;
    const revision = how === 'min' ? { minRevision } : {};
    if (isLookup) {
      const freshness = {
        ...(how === 'last' ? { last_revision: true } : {}),
        ...(how === 'min' ? { min_revision: String(minRevision) } : {}),
      };
      return { call: { method: 'POST', path: '/v1/lookup', body: { user_ids: userIds, ...freshness } }, ...revision };
    }
    const query = { default: '', last: '?last_revision=true', min: `?min_revision=${minRevision}` }[how];
    return { call: { method: 'GET', path: `/v1/users/${userIds[0]}/segments${query}` }, ...revision };
  }
  if (operation.kind === 'at' || operation.kind === 'why') {
    const slug = operation.kind === 'why' ? `/${operation.slug}` : '';
    const at = operation.ago === undefined ? undefined : now - operation.ago;
    const path = `/v1/users/${operation.userId}/segments${slug}${at === undefined ? '' : `?at=${text(at)}`}`;
    return { call: { method: 'GET', path }, ...(at === undefined ? {} : { at }) };
  }
  if (operation.kind === 'history') {
    const from = now - operation.ago;
    return {
      call: { method: 'GET', path: `/v1/users/${operation.userId}/history?from=${text(from)}&to=2999-01-01T00:00:00Z` },
      at: from,
    };
  }
  if (operation.kind === 'import') {
    const { slug, query, users, key } = operation;
    const headers = { 'content-type': 'text/plain', 'idempotency-key': key };
    return { call: { method: 'POST', path: `/v1/segments/${slug}/imports?${query}`, body: users.join('\n'), headers } };
  }
  const { slug, percent, group, startsIn } = operation;
  const at = now + (startsIn ?? 0);
  if (operation.operation === 'create')
    return {
      call: {
        method: 'POST',
        path: '/v1/segments',
        body: { slug, percent, ...(group === null ? {} : { exclusive_group: group }) },
      },
      at,
    };
  if (operation.operation === 'delete') return { call: { method: 'DELETE', path: `/v1/segments/${slug}` }, at };
  if (operation.operation === 'cancel')
    return { call: { method: 'DELETE', path: `/v1/segments/${slug}/scheduled/${scheduled.get(slug) ?? now}` }, at };
  return {
    call: {
      method: 'PATCH',
      path: `/v1/segments/${slug}`,
      body: { percent, ...(startsIn === undefined ? {} : { effective_at: text(at) }) },
    },
    at,
  };
}

interface SegmentBody {
  updated_at: string;
  ranges: number[][];
  scheduled: { effective_at: string; ranges: number[][] }[];
}

const shownOf = ({ updated_at, ranges, scheduled }: SegmentBody): Shown => ({
  updatedAt: Date.parse(updated_at),
  ranges,
  scheduled: scheduled.map((one) => ({ at: Date.parse(one.effective_at), ranges: one.ranges })),
});

/** An event of a history in one line. */
export const eventText = ({
  at,
  segment,
  operation,
  cause,
  actor,
}: {
  at: string | number;
  segment: string;
  operation: string;
  cause: string;
  actor: string;
}): string => `${typeof at === 'string' ? Date.parse(at) : at} ${operation} ${segment} ${cause} ${actor}`;

const add = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
