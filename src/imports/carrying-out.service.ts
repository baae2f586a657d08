import { setImmediate as nextTick } from 'node:timers/promises';
import type { DatabaseClock } from '../db/clock.ts';
import type { DatabaseClient } from '../db/database.ts';
import type { DecidedChange } from '../memberships/memberships.store.ts';
import type { Definitions, Facts } from '../timeline/facts.ts';
import { narrowedTo } from '../timeline/narrowed.ts';
import { momentOf } from '../timeline/revision.ts';
import type { BatchesStore, DecidedBatch } from './batches.store.ts';
import { commandFor, decideRow } from './deciding.ts';
import type { Import, ImportsStore } from './imports.store.ts';
import type { Row } from './rows.ts';
import type { StagedRow, StagingStore } from './staging.store.ts';
import { Stopped } from './stopped.ts';

export interface CarryingOutOptions {
  readonly imports: ImportsStore;
  readonly staging: StagingStore;
  readonly batches: BatchesStore;
  readonly clock: DatabaseClock;
  /** Names this process among all that share the database: a UUID. */
  readonly owner: string;
  /** Called after each commit. */
  readonly onCommit: () => void;
  /** Rows that are read, decided and written together. Default 5,000. */
  readonly batchSize?: number;
}

/** Rows that are decided before others get their turn in this process: less than a millisecond of work. */
const sliceSize = 250;
/** From so many rows on the statistics of the tables are made anew. */
const manyRows = 50_000;

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
  const { imports, staging, batches, clock, owner, onCommit, batchSize = 5_000 } = options;
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

  const decideAll = async ({ rows, repeats, facts, upTo }: ReadBatch): Promise<DecidedBatch> => {
    const batch = { changes: [] as DecidedChange[], lines: [] as number[], unchanged: 0, rejected: [...repeats], upTo };
    const now = clock.now();
    const slug = facts[0]?.definitions.byId.get(job.segmentId)?.slug ?? '';
    const command = commandFor(slug, job, job.phase === 'leavers');
    for (const [i, known] of facts.entries()) {
      if (i % sliceSize === sliceSize - 1) await nextTick();
      const { userId, revision, definitions } = known;
      const decidedAt = Math.max(now, momentOf(Math.max(revision ?? 0, definitions.revision)) + 1);
      const { line } = rows[i]!;
      const decided = decideRow(known, command, decidedAt);
      if (decided.kind === 'segment_deleted') {
        await imports.finish(job.id, owner, 'failed', 'segment_deleted');
        throw new Stopped();
      }
      if (decided.kind === 'unchanged') batch.unchanged += job.phase === 'rows' ? 1 : 0;
      else if (decided.kind === 'rejected') batch.rejected.push({ line, value: userId, reason: decided.reason });
      else {
        batch.changes.push({ userId, revision, version: definitions.version, decidedAt, decision: decided.decision });
        batch.lines.push(line);
      }
    }
    return batch;
  };

  /** Writes a batch; whoever was changed meanwhile is read and decided anew, until nobody is left. */
  const saveAll = async (decided: DecidedBatch, read: Omit<ReadBatch, 'facts'>): Promise<void> => {
    let batch = decided;
    let left = read;
    for (;;) {
      if (isClosing()) throw new Stopped();
      const sentAt = clock.mark();
      const { outcome, revision, stale } = await batches.save(job.id, owner, batch);
      if (outcome === 'lost') throw new Stopped();
      if (revision !== null) {
        clock.observe(revision, sentAt);
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
