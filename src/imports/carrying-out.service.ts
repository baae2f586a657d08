import { setImmediate as nextTick } from 'node:timers/promises';
import type { DatabaseClock } from '../db/clock.ts';
import type { DatabaseClient } from '../db/database.ts';
import type { DecidedChange } from '../memberships/memberships.store.ts';
import type { HoldingReader, PartlyKnown } from '../reading/reader.ts';
import { applied } from '../timeline/applied.ts';
import type { Definitions, Facts, Stay } from '../timeline/facts.ts';
import { narrowedTo } from '../timeline/narrowed.ts';
import { momentOf } from '../timeline/revision.ts';
import type { BatchesStore, DecidedBatch } from './batches.store.ts';
import { commandFor, rowDecider } from './deciding.ts';
import type { Import, ImportsStore } from './imports.store.ts';
import type { Row } from './rows.ts';
import type { StagedRow, StagingStore } from './staging.store.ts';
import { Stopped } from './stopped.ts';

export interface CarryingOutOptions {
  readonly imports: ImportsStore;
  readonly staging: StagingStore;
  readonly batches: BatchesStore;
  readonly clock: DatabaseClock;
  /** Names who carries it out among all that share the database: a UUID. */
  readonly owner: string;
  /** What holds copies of facts: it is told what a batch changed. */
  readonly nearby?: HoldingReader | undefined;
  /** Called after each commit. */
  readonly onCommit: () => void;
  /** Rows that are read, decided and written together. Default 5,000. */
  readonly batchSize?: number;
}

/** Rows that are decided before others get their turn in this process: less than a millisecond of work. */
const sliceSize = 250;
/** From so many rows on the statistics of the tables are made anew. */
const manyRows = 50_000;

/** What changes for a user, with the facts that it was decided on. */
interface Change extends DecidedChange {
  readonly facts: Facts;
}

interface Batch extends DecidedBatch {
  readonly changes: readonly Change[];
}

/** A batch as it was read. */
interface ReadBatch {
  readonly rows: readonly StagedRow[];
  readonly repeats: readonly Row[];
  readonly facts: readonly Facts[];
  readonly upTo: StagedRow;
}

/**
 * Carries out one import, from where it stands to its end: batch by batch, in byte order of the ids, each batch one
 * transaction with how far it came. While one is written the next is decided, and the one after it is read.
 */
export async function carryOut(taken: Import, client: DatabaseClient, isClosing: () => boolean, options: CarryingOutOptions) {
  const { imports, staging, batches, clock, owner, nearby, onCommit, batchSize = 5_000 } = options;
  const narrow = onceFor((all) => narrowedTo(all, taken.segmentId));
  let job = taken;

  /** The users as they are now; again where the definitions move on. */
  const factsOf = async (rows: readonly StagedRow[]): Promise<Facts[]> => {
    const userIds = rows.map(({ userId }) => userId);
    for (let tries = 0; tries < 50; tries++) {
      const facts = userIds.length === 0 ? [] : await batches.facts(userIds, narrow);
      if (facts) return facts;
    }
    throw new Error('the definitions changed at each of 50 reads');
  };

  const decideAll = async ({ rows, repeats, facts, upTo }: ReadBatch): Promise<Batch> => {
    const batch = { changes: [] as Change[], lines: [] as number[], unchanged: 0, rejected: [...repeats], upTo };
    const now = clock.now();
    const slug = facts[0]?.definitions.byId.get(job.segmentId)?.slug ?? '';
    const decideRow = rowDecider(commandFor(slug, job, job.phase === 'leavers'), job.segmentId);
    for (const [i, known] of facts.entries()) {
      if (i % sliceSize === sliceSize - 1) await nextTick();
      const { userId, revision, definitions } = known;
      const decidedAt = Math.max(now, momentOf(Math.max(revision ?? 0, definitions.revision)) + 1);
      const { line } = rows[i]!;
      const decided = decideRow(known, decidedAt);
      if (decided.kind === 'segment_deleted') {
        await imports.finish(job.id, owner, 'failed', 'segment_deleted');
        throw new Stopped();
      }
      if (decided.kind === 'unchanged') batch.unchanged += job.phase === 'rows' ? 1 : 0;
      else if (decided.kind === 'rejected') batch.rejected.push({ line, value: userId, reason: decided.reason });
      else {
        const { decision } = decided;
        batch.changes.push({ userId, revision, version: definitions.version, decidedAt, decision, facts: known });
        batch.lines.push(line);
      }
    }
    return batch;
  };

  /** Writes a batch; whoever was changed meanwhile is read and decided anew, until nobody is left. */
  const saveAll = async (decided: Batch, read: Omit<ReadBatch, 'facts'>): Promise<void> => {
    let batch = decided;
    let left = read;
    for (;;) {
      if (isClosing()) throw new Stopped();
      const sentAt = clock.mark();
      const { outcome, revision, stale } = await batches.save(job.id, owner, batch);
      if (outcome === 'lost') throw new Stopped();
      if (revision !== null) {
        clock.observe(revision, sentAt);
        if (nearby?.putParts) await tell(nearby, batch.changes, revision, new Set(stale));
        onCommit();
      }
      if (outcome !== 'stale_definitions') {
        if (stale.length === 0) return;
        const again = new Set(stale);
        left = { rows: left.rows.filter(({ userId }) => again.has(userId)), repeats: [], upTo: left.upTo };
      }
      batch = await decideAll({ ...left, facts: await factsOf(left.rows) });
    }
  };

  const saveInOrder = async (staged: AsyncIterator<StagedRow[]>) => {
    if (job.pendingUsers.length > 0) {
      const rows = job.pendingUsers.map((userId, i) => ({ userId, line: job.pendingLines[i]! }));
      const pending = { rows, repeats: [], upTo: job.doneUpTo };
      await saveAll(await decideAll({ ...pending, facts: await factsOf(rows) }), pending);
    }
    let last = job.doneUpTo;
    const readNext = async (): Promise<ReadBatch | undefined> => {
      const { value, done } = await staged.next();
      if (done) return undefined;
      const { rows, repeats } = withoutRepeats(value, last.userId);
      last = value.at(-1)!;
      return { rows, repeats, upTo: last, facts: await factsOf(rows) };
    };
    let [reading, writing]: [Promise<ReadBatch | undefined>, Promise<void>] = [readNext(), Promise.resolve()];
    try {
      for (let read = await reading; read; read = await reading) {
        reading = readNext();
        reading.catch(() => {}); // thrown where it is waited for, if it still is
        const decided = await decideAll(read);
        await writing;
        writing = saveAll(decided, read);
        writing.catch(() => {}); // thrown where it is waited for
      }
    } finally {
      await Promise.allSettled([reading, writing]);
    }
    await writing;
  };

  if (job.phase === 'rows') {
    await saveInOrder(staging.rows(client, job, batchSize));
    if (job.operation === 'replace') {
      if (!(await imports.turnToLeavers(job.id, owner))) throw new Stopped();
      job = { ...job, phase: 'leavers', doneUpTo: { userId: '', line: 0 }, pendingUsers: [], pendingLines: [] };
    }
  }
  if (job.phase === 'leavers') await saveInOrder(staging.leavers(client, job, batchSize));
  const done = await imports.finish(job.id, owner, 'done', null);
  if (done && done.applied + done.removed >= manyRows) await imports.analyze();
}

/** Tells the memory of this process what was just written, so that it need not read it back. */
async function tell(nearby: HoldingReader, changes: readonly Change[], revision: number, stale: ReadonlySet<string>) {
  const moment = momentOf(revision);
  const segmentIds = new Set(changes[0]?.facts.definitions.segments.map(({ id }) => id));
  let last: { change: Change; stays: readonly Stay[] } | undefined;
  for (let from = 0; from < changes.length; from += sliceSize) {
    const users: PartlyKnown[] = [];
    for (const change of changes.slice(from, from + sliceSize)) {
      const { userId, revision: basedOn, decision, facts } = change;
      if (stale.has(userId)) continue;
      if (last?.change.decision !== decision || last.change.facts.stays !== facts.stays) {
        const { stays } = applied(facts, decision, moment);
        last = { change, stays: stays.toSorted((a, b) => a.segmentId - b.segmentId || a.startsAt - b.startsAt) };
      }
      users.push({ userId, basedOn, stays: last.stays });
    }
    nearby.putParts?.(segmentIds, revision, users);
    await nextTick();
  }
}

/** Rows are sorted by id, then by line: the first of an id counts. */
function withoutRepeats(rows: readonly StagedRow[], last: string): { rows: StagedRow[]; repeats: Row[] } {
  const kept: StagedRow[] = [];
  const repeats: Row[] = [];
  let before = last;
  for (const row of rows) {
    if (row.userId === before) repeats.push({ line: row.line, value: row.userId, reason: 'duplicate' });
    else kept.push(row);
    before = row.userId;
  }
  return { rows: kept, repeats };
}

/** Remembers the answer for the definitions asked last. */
function onceFor(narrow: (all: Definitions) => Definitions) {
  let known: Definitions | undefined;
  let answer: Definitions | undefined;
  return (all: Definitions): Definitions => {
    if (!answer || known !== all) {
      known = all;
      answer = narrow(all);
    }
    return answer;
  };
}
