import type { Answer } from './http.ts';
import type { Ranges } from '../../src/rollout/ranges.ts';
import type { Asked, LogRecord, Shown, Told } from './log.ts';
import type { Operation } from './operations.ts';
import type { Request } from './requests.ts';

/** An operation that was sent, and what came of it. */
export interface Sent extends Request {
  readonly operation: Operation;
  readonly asked: Asked;
  readonly answer: Answer;
  /** Of an import: when it was seen to be over. */
  readonly doneAt?: number;
}

/** What is written down of it. A read that was refused said nothing. */
export function recordsOf(sent: Sent): LogRecord[] {
  const { operation, asked, answer } = sent;
  const isAcknowledged = asked.outcome === 'acknowledged';
  if (operation.kind === 'change') return [changeRecord(sent, operation)];
  if (operation.kind === 'segment') return [segmentRecord(sent, operation)];
  if (operation.kind === 'import') {
    const { key, users } = operation;
    const jobId = isAcknowledged ? { jobId: answer.body.id as string } : {};
    return [{ ...asked, kind: 'import', key, users, ...jobId, ...(sent.doneAt === undefined ? {} : { doneAt: sent.doneAt }) }];
  }
  if (operation.kind === 'why') {
    if (!isAcknowledged && asked.code !== 'segment_not_found') return [];
    const { userId, slug } = operation;
    const at = sent.at === undefined ? {} : { at: sent.at };
    return [{ ...asked, kind: 'why', userId, slug, ...at, answer: isAcknowledged ? answer.body : null }];
  }
  if (!isAcknowledged) return [];
  if (operation.kind === 'at') {
    return [{ ...asked, kind: 'read', how: 'at', userId: operation.userId, at: sent.at!, answer: toldBy(answer) }];
  }
  if (operation.kind === 'read') return readRecords(sent, operation);
  const { events, to, next_cursor } = answer.body;
  const told = { events: events.map(eventText) as string[], to: Date.parse(to), hasMore: next_cursor !== null };
  return [{ ...asked, kind: 'history', userId: operation.userId, since: sent.at!, answer: told }];
}

function changeRecord({ asked, call, answer }: Sent, { userId }: Operation & { kind: 'change' }): LogRecord {
  const { added, removed, unchanged } = answer.body;
  const told = asked.outcome === 'acknowledged' ? { answer: { ...toldBy(answer), added, removed, unchanged } } : {};
  return { ...asked, kind: 'change', userId, wanted: call.body as object, ...told };
}

function segmentRecord({ asked, answer, at }: Sent, operation: Operation & { kind: 'segment' }): LogRecord {
  const { operation: what, slug, percent, startsIn } = operation;
  const isAcknowledged = asked.outcome === 'acknowledged';
  return {
    ...asked,
    kind: 'segment',
    operation: what,
    slug,
    percent,
    ...(startsIn === undefined ? {} : { effectiveAt: at! }),
    ...(isAcknowledged ? { revision: answer.revision } : {}),
    ...(isAcknowledged && answer.body.slug ? { answer: shownOf(answer.body) } : {}),
  };
}

function readRecords(
  { asked, answer, minRevision, userIds = [] }: Sent,
  { how, isLookup }: Operation & { kind: 'read' },
): LogRecord[] {
  const shared = { ...asked, kind: 'read', how, ...(minRevision === undefined ? {} : { minRevision }) } as const;
  const told = toldBy(answer);
  if (!isLookup) return [{ ...shared, userId: userIds[0]!, answer: told }];
  const users = answer.body.users as { user_id: string; segments: string[] | null }[];
  return users.map(({ user_id: userId, segments }) => {
    return { ...shared, isLookup, userId, answer: { ...told, segments: segments ?? [] } };
  });
}

const toldBy = ({ body }: Answer): Told => ({
  segments: (body.segments ?? []) as string[],
  asOf: Date.parse(body.as_of),
  revision: Number(body.revision),
});

interface SegmentBody {
  updated_at: string;
  ranges: Ranges;
  scheduled: { effective_at: string; ranges: Ranges }[];
}

/** Of the body of an answer about a segment. */
export const shownOf = ({ updated_at, ranges, scheduled }: SegmentBody): Shown => ({
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
