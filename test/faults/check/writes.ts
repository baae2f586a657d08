import { commandFor } from '../../../src/imports/deciding.ts';
import { commandOf } from '../../../src/memberships/command.ts';
import { applied } from '../../../src/timeline/applied.ts';
import { type Command, decide, type Decision } from '../../../src/timeline/decide.ts';
import type { Facts, Moment } from '../../../src/timeline/facts.ts';
import { momentOf } from '../../../src/timeline/revision.ts';
import { segmentsAt } from '../../../src/timeline/segments-at.ts';
import type { Job } from '../jobs.ts';
import type { ChangeRecord } from '../log.ts';
import type { ExactRead } from './exact-reads.ts';
import { type Maker, makerOf, type OpenChange } from './explanations.ts';
import { type Report, sameTexts } from './report.ts';
import { Acknowledgements, sameStays, type UserTimeline } from './timeline.ts';

/** An import as its client saw it, and as it ended. */
export interface KnownJob extends Job {
  readonly users: ReadonlySet<string>;
  readonly doneAt: Moment;
  /** Of the changes of those in its file, and of those whom its file lacks. */
  readonly rows: Maker;
  readonly leavers: Maker;
}

/** A request whose fate its client does not know is not carried out any later than this. */
const lateMs = 60_000;

const commands = new WeakMap<ChangeRecord, Command>();
const commandOfRecord = (record: ChangeRecord): Command => {
  const known = commands.get(record) ?? commandOf(record.wanted, record.actor);
  commands.set(record, known);
  return known;
};

/** What a command does to the facts, if it does just what the n-th change did to the rows. */
function decisionBehind(user: UserTimeline, n: number, facts: Facts, command: Command): Decision | undefined {
  const moment = user.moments[n - 1]!;
  const decision = decide(facts, command, moment);
  if ('refused' in decision || decision.endings.length + decision.beginnings.length === 0) return undefined;
  const { stays } = applied(user.facts(n - 1, user.definitions.upTo(moment)), decision, moment);
  const current = stays.filter(({ endedCause }) => endedCause === null);
  const past = stays.filter(({ endedCause }) => endedCause !== null);
  return sameStays(current, user.stays(n)) && sameStays(past, user.changes[n - 1]!.past) ? decision : undefined;
}

/** Whether the answer says what the n-th change of the user did. */
function tells(
  user: UserTimeline,
  n: number,
  { added, removed, unchanged }: Decision,
  answer: NonNullable<ChangeRecord['answer']>,
): boolean {
  const moment = user.moments[n - 1]!;
  const after = segmentsAt(user.facts(n, user.definitions.upTo(moment)), moment);
  return (
    sameTexts(added, answer.added) &&
    sameTexts(removed, answer.removed) &&
    sameTexts(unchanged, answer.unchanged) &&
    sameTexts(after, answer.segments)
  );
}

/**
 * Explains each change of the user by one request or one import and the other way round: what was acknowledged is there, just
 * as it was asked for; what was refused is not; what is unknown is there wholly or not at all. Answers the requests that
 * changed nothing, as the reads that they are, and the changes of imports and unknown requests with all that may have made
 * them: which it was shows when those of all users are known.
 */
export function explainChanges(
  user: UserTimeline,
  records: readonly ChangeRecord[],
  jobs: readonly KnownJob[],
  report: Report,
): { reads: ExactRead[]; lost: number; open: OpenChange[] } {
  const byRevision = new Map(user.revisions.map((revision, i) => [revision, i + 1]));
  const factsBefore = (n: number) => user.facts(n - 1, user.definitions.upTo(user.moments[n - 1]!));
  const explained = new Map<number, Moment>();
  const reads: ExactRead[] = [];
  let lost = 0;

  const acknowledged = records.filter(({ outcome }) => outcome === 'acknowledged');
  for (const record of acknowledged) {
    const answer = record.answer!;
    const what = `${user.userId}: ${JSON.stringify(record.wanted)} by ${record.actor} of ${answer.revision}`;
    const n = byRevision.get(answer.revision);
    const isOwn = momentOf(answer.revision) === answer.asOf;
    const decision =
      n !== undefined && isOwn && !explained.has(n)
        ? decisionBehind(user, n, factsBefore(n), commandOfRecord(record))
        : undefined;
    if (n !== undefined && decision && tells(user, n, decision, answer)) {
      explained.set(n, record.gotAt);
      if (user.moments[n - 1]! < record.sentAt || user.moments[n - 1]! > record.gotAt)
        report('real time', `${what} is not between its question and its answer`);
      continue;
    }
    const changed = answer.added.length + answer.removed.length > 0;
    if (isOwn && n === undefined && (changed || !user.definitions.revisions.includes(answer.revision))) {
      lost++;
      report('lost', what);
    } else if (isOwn && n !== undefined && (changed || decision)) {
      report('change', `${what} is not what was asked for or answered: ${JSON.stringify(answer)}`);
      explained.set(n, record.gotAt);
    } else reads.push(unchangedRead(record));
  }
  for (const record of records) if (record.outcome === 'refused') reads.push(...refusedRead(record));

  const unknown = records.filter(({ outcome }) => outcome === 'unknown').map((one) => ({ one, maker: makerOf(1, true) }));
  const open: OpenChange[] = [];
  for (let n = 1; n <= user.count; n++) {
    if (explained.has(n)) continue;
    const moment = user.moments[n - 1]!;
    const facts = factsBefore(n);
    const ofJobs = jobs.filter((one) => isOfJob(user, n, facts, one));
    const ofRequests = unknown.filter(
      ({ one }) => one.sentAt <= moment && moment <= one.sentAt + lateMs && decisionBehind(user, n, facts, commandOfRecord(one)),
    );
    const makers = [...ofJobs.map((job) => makerWithin(user, job)), ...ofRequests.map(({ maker }) => maker)];
    const revision = user.revisions[n - 1]!;
    if (makers.length > 0) open.push({ userId: user.userId, revision, makers });
    else
      report(
        'unasked',
        `${user.userId}: the change of ${revision} is nobody's, or a part of what was asked: ${JSON.stringify(user.changes[n - 1])}`,
      );
    // From when on all imports that may have made it were known to be over.
    const able = ofJobs.filter((job) => makerWithin(user, job).most > 0);
    if (able.length > 0 && ofRequests.length === 0) explained.set(n, Math.max(...able.map(({ doneAt }) => doneAt)));
  }
  user.acknowledged = new Acknowledgements([...explained]);
  return { reads, lost, open };
}

const makerWithin = ({ userId }: UserTimeline, { users, rows, leavers }: KnownJob) => (users.has(userId) ? rows : leavers);

function isOfJob(user: UserTimeline, n: number, facts: Facts, job: KnownJob): boolean {
  const moment = user.moments[n - 1]!;
  if (moment < job.createdAt || moment > (job.finishedAt ?? Infinity)) return false;
  const isRow = job.users.has(user.userId);
  if (!isRow && job.operation !== 'replace') return false;
  const segment = facts.definitions.byId.get(job.segmentId);
  if (!segment) return false;
  const near = user.definitions.narrowed(user.definitions.upTo(moment), job.segmentId);
  const narrowed = { ...facts, definitions: near, stays: facts.stays.filter(({ segmentId }) => near.byId.has(segmentId)) };
  return decisionBehind(user, n, narrowed, commandFor(segment.slug, job, !isRow)) !== undefined;
}

/** A request that was answered to have changed nothing: from one snapshot, it does not, and rests on what it says. */
function unchangedRead(record: ChangeRecord): ExactRead {
  const { sentAt, gotAt, from, to } = record;
  const answer = record.answer!;
  return {
    what: `${JSON.stringify(record.wanted)}, which changed nothing, ${JSON.stringify(answer)}`,
    from,
    to,
    includes: Math.max(sentAt, answer.asOf),
    upTo: gotAt,
    judgedFrom: answer.asOf,
    judgedTo: gotAt,
    turns: turnsOf(commandOfRecord(record)),
    compares: true,
    answers(facts, moment) {
      const at = judged(facts, moment);
      const decision = decide(facts, commandOfRecord(record), at);
      if ('refused' in decision || decision.endings.length + decision.beginnings.length > 0) return false;
      return (
        Math.max(facts.revision ?? 0, facts.definitions.revision) === answer.revision &&
        sameTexts(decision.added, answer.added) &&
        sameTexts(decision.removed, answer.removed) &&
        sameTexts(decision.unchanged, answer.unchanged) &&
        sameTexts(segmentsAt(facts, at), answer.segments)
      );
    },
  };
}

/** A request that was refused for what it found. */
function refusedRead(record: ChangeRecord): ExactRead[] {
  const { code, sentAt, gotAt, from, to } = record;
  const reasons: Record<string, RegExp> = {
    segment_not_found: /^segment_not_found$/,
    group_conflict: /^group_conflict$/,
    invalid_request: /^(start|end)_not/,
  };
  const expected = reasons[code ?? ''];
  if (!expected) return [];
  return [
    {
      what: `${JSON.stringify(record.wanted)}, refused with ${code}`,
      from,
      to,
      includes: sentAt,
      upTo: gotAt,
      judgedFrom: sentAt,
      judgedTo: gotAt,
      turns: turnsOf(commandOfRecord(record)),
      answers(facts, moment) {
        const decision = decide(facts, commandOfRecord(record), judged(facts, moment));
        return 'refused' in decision && expected.test(decision.refused);
      },
    },
  ];
}

/** From when on a command is refused for its times. A slug is judged at the moment too. */
const turnsOf = ({ start, end }: Command): Moment[] => [
  ...(start === null ? [] : [start]),
  ...(end.kind === 'at' ? [end.moment] : []),
];

/** A decision is for a moment after the last change. */
const judged = ({ revision, definitions }: Facts, moment: Moment) =>
  Math.max(moment, momentOf(Math.max(revision ?? 0, definitions.revision)) + 1);
