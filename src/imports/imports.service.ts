import { BrokenOff, Problem, invalid, problems } from '../http/problem.ts';
import type { DefinitionsStore } from '../segments/definitions.store.ts';
import { livingOf } from '../timeline/definitions.ts';
import { lastMoment } from '../timeline/facts.ts';
import type { DatabaseClock } from '../db/clock.ts';
import { fingerprint } from './fingerprint.ts';
import type { Import, ImportOperation, ImportsStore, ImportState, ShownImport } from './imports.store.ts';
import { renewMs } from './lease.ts';
import { type Row, type RowFormat, rowReader } from './rows.ts';
import { copyLine, type StagingStore } from './staging.store.ts';

/** What is asked with a file. */
export interface WantedImport {
  readonly slug: string;
  readonly operation: ImportOperation;
  readonly ttlSeconds: number | null;
  readonly replaceInGroup: boolean;
  readonly format: RowFormat;
  readonly idempotencyKey: string | null;
  /** The name of the key. */
  readonly by: string;
}

export type ImportsService = ReturnType<typeof importsService>;

/** Bytes of good rows that are written at once. */
const pieceBytes = 1_048_576;
/** Rejected rows that are written at once. */
const pieceRejects = 5_000;
/** Files that a process receives at a time; each takes some megabytes, and a connection while a piece is written. */
const maxReceiving = 8;

export function importsService(parts: {
  definitions: DefinitionsStore;
  imports: ImportsStore;
  staging: StagingStore;
  clock: DatabaseClock;
  /** Names this process among all that share the database. */
  owner: string;
  maxBytes: number;
  /** Called when an import was accepted. */
  onAccepted: () => void;
}) {
  const { definitions, imports, staging, clock, owner, maxBytes, onAccepted } = parts;
  let receiving = 0;

  const withSlugs = async (found: readonly Import[]): Promise<ShownImport[]> => {
    const { byId } = await definitions.current();
    return found.map((one) => ({ ...one, slug: byId.get(one.segmentId)!.slug }));
  };
  const find = async (id: string): Promise<ShownImport> => {
    const known = isImportId(id) ? await imports.find(id) : null;
    if (!known) throw new Problem('import_not_found', `There is no import ${id}.`);
    return (await withSlugs([known]))[0]!;
  };

  /** The import that has this key of this sender already, once the whole file was compared. */
  const repeated = async (
    kept: { importId: string; fingerprint: string },
    fingerprint: string,
    key: string,
  ): Promise<ShownImport> => {
    if (kept.fingerprint !== fingerprint)
      throw new Problem(
        'idempotency_key_reused',
        `The Idempotency-Key ${key} was sent with another file, or for another import. Nothing was changed.`,
      );
    return find(kept.importId);
  };

  /** The bytes of a file as they come, hashed, and no more of them than are allowed. */
  async function* measured(body: AsyncIterable<Buffer>, hash: { update(bytes: Buffer): unknown }) {
    let bytes = 0;
    for await (const piece of body) {
      bytes += piece.length;
      if (bytes > maxBytes)
        throw new Problem(
          'body_too_large',
          `A file may have ${maxBytes.toLocaleString('en')} bytes at most, unpacked; this one has at least ${bytes.toLocaleString('en')}.`,
        );
      hash.update(piece);
      yield piece;
    }
  }

  /** Writes the rows piece by piece, the next one being read meanwhile. False: it was cancelled on the way. */
  const stage = async (id: string, { format, operation }: WantedImport, body: AsyncIterable<Buffer>): Promise<boolean> => {
    const reader = rowReader(format);
    let hasGood = false;
    let firstBad: Row | undefined;
    let piece = { received: 0, good: '', rejected: [] as Row[] };
    let writing: Promise<boolean> = Promise.resolve(true);
    const take = (rows: readonly Row[]) => {
      for (const row of rows) {
        piece.received++;
        if (row.reason === null) {
          hasGood = true;
          piece.good += copyLine(row);
        } else {
          firstBad ??= row;
          piece.rejected.push(row);
        }
      }
    };
    const write = async () => {
      if (!(await writing)) return false;
      const full = piece;
      piece = { received: 0, good: '', rejected: [] };
      writing = staging.insert(id, owner, full);
      writing.catch(() => {}); // thrown where it is waited for
      return true;
    };
    try {
      for await (const bytes of body) {
        take(reader.push(bytes));
        if ((piece.good.length >= pieceBytes || piece.rejected.length >= pieceRejects) && !(await write())) return false;
      }
    } catch (error) {
      await writing.catch(() => {}); // what broke first is told
      throw error;
    }
    take(reader.end());
    if (operation === 'replace' && firstBad && !hasGood) throw nobodyLeft(firstBad);
    return (await write()) && (await writing);
  };

  const receive = async (wanted: WantedImport, body: AsyncIterable<Buffer>): Promise<ShownImport> => {
    const { slug, operation, ttlSeconds, replaceInGroup, format, idempotencyKey: key, by } = wanted;
    const latestSeconds = Math.floor((lastMoment - clock.now()) / 1000) - 1;
    if (ttlSeconds !== null && ttlSeconds > latestSeconds)
      throw invalid('ttl_seconds', `must end within the year 9999, so be at most ${latestSeconds}; got ${ttlSeconds}.`);
    const segment = livingOf(await definitions.current(), slug);
    const kept = key === null ? null : await imports.findKey(by, key);
    // A repeat is one of the segment that bore the slug then, whatever became of it since.
    const before = kept && (await find(kept.importId));
    const segmentId = before?.slug === slug ? before.segmentId : segment?.id;
    if (segmentId === undefined) throw unknown(slug);

    const hash = fingerprint([segmentId, operation, ttlSeconds, replaceInGroup, format]);
    const file = measured(body, hash);
    if (kept) {
      for await (const _ of file); // to compare it
      const digest = hash.digest('hex');
      if (!segment && kept.fingerprint !== digest) throw unknown(slug);
      return repeated(kept, digest, key!);
    }

    const ttlMs = ttlSeconds === null ? null : ttlSeconds * 1000;
    const made = await imports.insert({ segmentId, operation, ttlMs, replaceInGroup, createdBy: by, owner });
    const renewing = setInterval(() => void imports.renew(made.id, owner).catch(() => {}), renewMs); // without it, it is given up
    try {
      if (!(await stage(made.id, wanted, file))) return await find(made.id);
      const digest = hash.digest('hex');
      const outcome = await imports.accept(made.id, owner, key === null ? null : { createdBy: by, key, fingerprint: digest });
      if (outcome === 'taken') return await repeated((await imports.findKey(by, key!))!, digest, key!);
      onAccepted();
      return await find(made.id);
    } catch (error) {
      // Whoever is refused hears of it; of a file that broke off the record tells.
      const isRefused = error instanceof Problem && problems[error.code][0] < 500 && !(error instanceof BrokenOff);
      const ending = isRefused ? imports.discard(made.id, owner) : imports.finish(made.id, owner, 'failed', 'interrupted');
      await ending.catch(() => {}); // then it is given up when its lease is over
      throw error;
    } finally {
      clearInterval(renewing);
    }
  };

  return {
    /**
     * Takes a file as it arrives and answers once its last byte is safe; it is carried out then, by any process. Of a file that
     * breaks off nothing is applied. 404 `segment_not_found`, 409 `idempotency_key_reused`, 413, 400 for one to replace with of
     * which every row would be rejected.
     */
    async receive(wanted: WantedImport, body: AsyncIterable<Buffer>): Promise<ShownImport> {
      if (receiving >= maxReceiving)
        throw new Problem(
          'overloaded',
          `This process is receiving ${maxReceiving} files already. Nothing was changed; ask again.`,
          { isRoutine: true },
        );
      receiving++;
      try {
        return await receive(wanted, body);
      } finally {
        receiving--;
      }
    },

    find,

    /** By id, so in the order of their making. Of a slug: those of all its lives. */
    async list(wanted: { slug: string | null; state: ImportState | null; after: string; limit: number }): Promise<ShownImport[]> {
      const { slug, state, after, limit } = wanted;
      const segmentIds = slug === null ? null : ((await definitions.current()).bySlug.get(slug) ?? []).map(({ id }) => id);
      return withSlugs(await imports.list({ segmentIds, state, after, limit }));
    },

    /** The rejected rows of an import, by line, as they are known by now. 404 `import_not_found`. */
    async rejects(id: string): Promise<AsyncIterable<{ line: number; value: string; reason: string }[]>> {
      await find(id);
      return pages((after) => imports.listRejects(id, after, pageRows));
    },

    /** Stops it. What was applied stays; one that is over stays as it is. 404 `import_not_found`. */
    async cancel(id: string): Promise<ShownImport> {
      if (isImportId(id)) await imports.finish(id, null, 'cancelled', null);
      return find(id);
    },
  };
}

const pageRows = 2_000;

async function* pages<R extends { line: number }>(read: (after: number) => Promise<R[]>): AsyncGenerator<R[]> {
  for (let after = 0; ;) {
    const page = await read(after);
    if (page.length > 0) yield page;
    if (page.length < pageRows) return;
    after = page.at(-1)!.line;
  }
}

/** What is meant to be a file and is an error page, or has another separator, is not to take a segment's members out. */
const nobodyLeft = ({ line, value, reason }: Row) =>
  invalid(
    'body',
    `has no row that could be taken (line ${line}: ${reason}, got ${JSON.stringify(value)}), and replace would take everybody out. ` +
      'A file without rows does that.',
  );

const unknown = (slug: string) => new Problem('segment_not_found', `There is no segment ${slug}.`);

export const isImportId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
