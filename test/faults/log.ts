import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { WantedChange } from '../../src/memberships/command.ts';
import type { Ranges } from '../../src/rollout/ranges.ts';

/** `unknown`: the change may have been made or not. */
export type Outcome = 'acknowledged' | 'refused' | 'unknown';

/** When something was asked and answered. On one machine its wall clock is the database's too. */
export interface Asked {
  /** Milliseconds of the wall clock, whole. */
  readonly sentAt: number;
  readonly gotAt: number;
  /** Milliseconds of the monotonic clock. */
  readonly from: number;
  readonly to: number;
  /** The key, so the actor of what it changes. */
  readonly actor: string;
  readonly service: string;
  readonly outcome: Outcome;
  /** Of a refusal. */
  readonly code?: string;
}

export interface Told {
  readonly segments: readonly string[];
  readonly asOf: number;
  readonly revision: number;
}

export interface ChangeRecord extends Asked {
  readonly kind: 'change';
  readonly userId: string;
  readonly wanted: WantedChange;
  readonly answer?: Told & {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly unchanged: readonly string[];
  };
}

export interface ReadRecord extends Asked {
  readonly kind: 'read';
  readonly how: 'default' | 'last' | 'min' | 'at';
  /** Of many users at once: `asOf` and `revision` are about all of them. */
  readonly isLookup?: boolean;
  readonly userId: string;
  readonly minRevision?: number;
  readonly at?: number;
  readonly answer: Told;
}

export interface WhyRecord extends Asked {
  readonly kind: 'why';
  readonly userId: string;
  readonly slug: string;
  readonly at?: number;
  /** As it came; `null`: no such segment. */
  readonly answer: Record<string, unknown> | null;
}

export interface HistoryRecord extends Asked {
  readonly kind: 'history';
  readonly userId: string;
  /** The start of the period; it has no end. */
  readonly since: number;
  /** The texts of the events, each as `eventText` makes it. */
  readonly answer: { readonly events: readonly string[]; readonly to: number; readonly hasMore: boolean };
}

export interface ImportRecord extends Asked {
  readonly kind: 'import';
  /** Its `Idempotency-Key`. */
  readonly key: string;
  readonly users: readonly string[];
  readonly jobId?: string;
  /** When it was seen to be over. */
  readonly doneAt?: number;
}

export interface SegmentRecord extends Asked {
  readonly kind: 'segment';
  readonly operation: 'create' | 'delete' | 'percent' | 'cancel';
  readonly slug: string;
  readonly percent?: number;
  readonly effectiveAt?: number;
  /** Of an acknowledged one. */
  readonly revision?: number;
  /** Of a created or changed one. */
  readonly answer?: Shown;
}

/** What an answer says of a segment's percentages. */
export interface Shown {
  readonly updatedAt: number;
  readonly ranges: Ranges;
  readonly scheduled: readonly { readonly at: number; readonly ranges: Ranges }[];
}

export type UserRecord = ChangeRecord | ReadRecord | WhyRecord | HistoryRecord;
export type LogRecord = UserRecord | ImportRecord | SegmentRecord;

const parts = 32;

/** FNV-1a, 32 bits. */
const partOf = (userId: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < userId.length; i++) hash = Math.imul(hash ^ userId.charCodeAt(i), 0x01000193) >>> 0;
  return hash % parts;
};

export type Log = Awaited<ReturnType<typeof openLog>>;

/** What all clients saw, in files by user, so that neither the run nor its check holds it in memory. */
export async function openLog(folder: string) {
  const pathOf = (part: string | number) => join(folder, `log-${part}.ndjson`);
  const names = [...Array.from({ length: parts }, (_, i) => String(i)), 'others'];
  const files = new Map<string, FileHandle>();
  for (const name of names) files.set(name, await open(pathOf(name), 'w'));
  const waiting = new Map<string, string[]>();
  let writing: Promise<void> | undefined;

  const writeAll = async () => {
    while (waiting.size > 0) {
      const batch = [...waiting];
      waiting.clear();
      for (const [name, lines] of batch) await files.get(name)!.appendFile(lines.join(''));
    }
    writing = undefined;
  };

  async function* read<R>(name: string): AsyncGenerator<R> {
    for await (const line of createInterface({ input: createReadStream(pathOf(name)) })) yield JSON.parse(line) as R;
  }

  return {
    write(record: LogRecord) {
      const name = 'userId' in record ? String(partOf(record.userId)) : 'others';
      const lines = waiting.get(name) ?? [];
      lines.push(`${JSON.stringify(record)}\n`);
      waiting.set(name, lines);
      writing ??= writeAll();
    },

    /** Once nothing more is written. */
    async close() {
      await writing;
      for (const file of files.values()) await file.close();
    },

    /** What was asked about users, a part of the users at a time. */
    async *users(): AsyncGenerator<Map<string, UserRecord[]>> {
      for (let i = 0; i < parts; i++) {
        const users = new Map<string, UserRecord[]>();
        for await (const record of read<UserRecord>(String(i))) {
          const own = users.get(record.userId) ?? [];
          own.push(record);
          users.set(record.userId, own);
        }
        yield users;
      }
    },

    others: () => Array.fromAsync(read<ImportRecord | SegmentRecord>('others')),
  };
}
