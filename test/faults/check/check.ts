import type { Database } from '../../../src/db/database.ts';
import type { Stay } from '../../../src/timeline/facts.ts';
import { boundaries, pairsOf, standingAt } from '../../../src/timeline/pair.ts';
import { violationsOf } from '../../races/check.ts';
import { definitionsChanges, everybody, type UserRows, usersOf } from '../audit.ts';
import { jobsOf } from '../jobs.ts';
import type { ChangeRecord, HistoryRecord, ImportRecord, Log, ReadRecord, SegmentRecord, UserRecord, WhyRecord } from '../log.ts';
import { checkShares, explainDefinitions } from './definitions.ts';
import { checkExactReads, exactReadOf, exactWhyOf } from './exact-reads.ts';
import { checkNearbyReads } from './nearby-reads.ts';
import { checkPast } from './past.ts';
import { makerOf, type OpenChange, settle } from './explanations.ts';
import type { Report } from './report.ts';
import { DefinitionsTimeline, sameStays, UserTimeline } from './timeline.ts';
import { explainChanges, type KnownJob } from './writes.ts';

export interface Findings {
  /** Acknowledged and not there. */
  lost: number;
  /** How many of each check. */
  readonly violations: Map<string, number>;
  /** Some of each, in words. */
  readonly told: string[];
  /** Changes of users that were explained. */
  changes: number;
}

/** How many violations of a kind are told. */
const mostTold = 5;

/** Proves from the database as it is at the end, and from all answers on the way, that every promise was kept. */
export async function check(database: Database, log: Log, startedAt: number): Promise<Findings> {
  const findings: Findings = { lost: 0, violations: new Map(), told: [], changes: 0 };
  const report: Report = (name, what) => {
    const count = (findings.violations.get(name) ?? 0) + 1;
    findings.violations.set(name, count);
    if (count <= mostTold) findings.told.push(`${name}: ${what.slice(0, 2_000)}`);
  };
  const others = await log.others();
  const definitions = new DefinitionsTimeline(await definitionsChanges(database));
  findings.lost += explainDefinitions(
    definitions,
    others.filter((one): one is SegmentRecord => one.kind === 'segment'),
    startedAt,
    report,
  );
  checkShares(definitions, report);
  const imports = others.filter((one): one is ImportRecord => one.kind === 'import');
  const jobs = await knownJobs(database, imports, report, findings);

  const open: OpenChange[] = [];
  const left = new Set(await everybody(database));
  const checkUsers = async (users: ReadonlyMap<string, readonly UserRecord[]>) => {
    const rows = await usersOf(database, [...users.keys()]);
    for (const [userId, records] of users) {
      left.delete(userId);
      checkUser(userId, records, rows.get(userId)!, { definitions, jobs, open, report, findings });
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  for await (const users of log.users()) await checkUsers(users);
  await checkUsers(new Map([...left].map((userId) => [userId, []]))); // whom only an import names

  for (const { userId, revision } of settle(open))
    report('unasked', `${userId}: the change of ${revision} is one more than all that may have made it did`);
  for (const { id, state, rows, leavers } of jobs) {
    const isOver = state === 'done' || state === 'failed';
    if (!isOver || rows.made.size !== rows.most || leavers.made.size !== leavers.most)
      report(
        'import',
        `${id} (${state}) says that it changed ${rows.most} and removed ${leavers.most}; found are ${rows.made.size} and ${leavers.made.size}`,
      );
  }
  return findings;
}

async function knownJobs(
  database: Database,
  records: readonly ImportRecord[],
  report: Report,
  findings: Findings,
): Promise<KnownJob[]> {
  const byKey = new Map(records.map((record) => [record.key, record]));
  const jobs = (await jobsOf(database)).map((job): KnownJob => {
    const record = byKey.get(job.key);
    if (!record || record.outcome === 'refused')
      report('unasked', `the import ${job.id}, key ${job.key}, is nobody's or was refused`);
    return {
      ...job,
      users: new Set(record?.users),
      doneAt: record?.doneAt ?? Infinity,
      rows: makerOf(job.applied, false),
      leavers: makerOf(job.removed, false),
    };
  });
  const known = new Map(jobs.map((job) => [job.id, job]));
  for (const { jobId, users } of records) {
    if (jobId === undefined) continue;
    const job = known.get(jobId);
    const isWhole =
      job &&
      (job.state === 'failed'
        ? job.error === 'segment_deleted'
        : job.state === 'done' && job.received === users.length && job.received === job.applied + job.unchanged + job.rejected);
    if (!job) findings.lost++;
    if (!isWhole)
      report(
        job ? 'import' : 'lost',
        `the import ${jobId} of ${users.length} users: ${JSON.stringify({ ...job, users: undefined, rows: undefined, leavers: undefined })}`,
      );
  }
  return jobs;
}

interface CheckParts {
  readonly definitions: DefinitionsTimeline;
  readonly jobs: readonly KnownJob[];
  /** To be settled when all users are known. */
  readonly open: OpenChange[];
  readonly report: Report;
  readonly findings: Findings;
}

function checkUser(
  userId: string,
  records: readonly UserRecord[],
  rows: UserRows,
  { definitions, jobs, open, report, findings }: CheckParts,
) {
  const user = new UserTimeline(userId, rows.changes, definitions);
  checkRows(user, rows, report);
  const changes = records.filter((one): one is ChangeRecord => one.kind === 'change');
  const { reads, lost, open: ofUser } = explainChanges(user, changes, jobs, report);
  open.push(...ofUser);
  findings.lost += lost;
  findings.changes += user.count;

  const isPast = (one: UserRecord): one is ReadRecord | WhyRecord | HistoryRecord =>
    one.kind === 'history' || (one.kind !== 'change' && one.at !== undefined);
  checkPast(user, records.filter(isPast), report);
  const nearby: ReadRecord[] = [];
  for (const one of records) {
    if (one.kind === 'change' || one.kind === 'history' || one.at !== undefined) continue;
    if (one.kind === 'why') reads.push(exactWhyOf(one));
    else if (one.how === 'last') reads.push(exactReadOf(one, report));
    else nearby.push(one);
  }
  const seen = checkExactReads(user, reads, report);
  checkNearbyReads(user, nearby, seen, report);
}

/** The tables hold what their changes come to, and no invariant is broken in it. */
function checkRows(user: UserTimeline, { current, past, revision }: UserRows, report: Report) {
  if (!sameStays(current, user.stays(user.count)) || !sameStays(past, user.past) || revision !== (user.revisions.at(-1) ?? null))
    report('rows', `${user.userId}: the rows are not what the changes come to`);
  if (user.moments.some((moment, i) => i > 0 && moment <= user.moments[i - 1]!))
    report('moments', `${user.userId}: two changes at one moment`);
  const facts = user.final();
  if (facts.stays.length === 0) return;
  // A plan cuts what is there before it, and ends with its segment, which is written down when somebody changes the user next.
  const isVoid = ({ segmentId, startsAt, endedCause }: Stay) =>
    endedCause === null && startsAt >= user.definitions.last.byId.get(segmentId)!.deletedAt;
  for (const wrong of violationsOf({ ...facts, stays: facts.stays.filter((stay) => !isVoid(stay)) }))
    if (!wrong.endsWith('two stays overlap')) report('invariant', wrong);
  const grouped = pairsOf(facts).filter(({ segment }) => segment.exclusiveGroup !== null);
  for (const at of new Set(grouped.flatMap((pair) => boundaries(pair)))) {
    const slugs = grouped.filter((pair) => standingAt(pair, at).member).map(({ segment }) => segment.slug);
    if (slugs.length > 1) report('group', `${user.userId} is in ${slugs.join(' and ')} at ${at}`);
  }
}
