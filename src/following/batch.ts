import type { Happening } from './happenings.ts';
import { happeningText } from './happening-text.ts';
import { compare, type Position } from './position.ts';

/** Part of a stream, ready to be sent: all that happened behind one place and up to another. */
export interface Batch {
  readonly after: Position;
  readonly upTo: Position;
  readonly bytes: Buffer;
  /** In order, one behind the other in the bytes. */
  readonly events: readonly BatchedEvent[];
  /** Whether one of them is of a segment, which concerns everybody. */
  readonly isForAll: boolean;
  /** Of whom anything was said, began or ended, an event or not. */
  readonly userIds: ReadonlySet<string>;
}

interface BatchedEvent {
  readonly position: Position;
  readonly slug: string;
  /** Null for one of a segment, which concerns everybody. */
  readonly userId: string | null;
  readonly from: number;
  readonly to: number;
}

/** What a reader wants to hear of: of one segment, in all its lives, or of one user, or both. Of segments whoever follows a user hears too. */
export interface Filter {
  readonly slug?: string | undefined;
  readonly userId?: string | undefined;
}

/** Made once, however many readers there are. */
export function batchOf(after: Position, upTo: Position, happenings: readonly Happening[], userIds: ReadonlySet<string>): Batch {
  const texts = happenings.map((one) => Buffer.from(happeningText(one)));
  let at = 0;
  const events = happenings.map(({ position, slug, userId }, i) => {
    const from = at;
    at += texts[i]!.length;
    return { position, slug, userId, from, to: at };
  });
  return { after, upTo, bytes: Buffer.concat(texts), events, isForAll: events.some(({ userId }) => userId === null), userIds };
}

/** What of a batch is for a reader who stands at a place. */
export function bytesFor({ bytes, events }: Batch, after: Position, { slug, userId }: Filter): Buffer {
  if (slug === undefined && userId === undefined) {
    const [first] = events;
    if (!first || compare(first.position, after) > 0) return bytes;
    const next = events.find(({ position }) => compare(position, after) > 0);
    return bytes.subarray(next?.from ?? bytes.length);
  }
  const isWanted = (event: BatchedEvent) =>
    (slug === undefined || event.slug === slug) &&
    (userId === undefined || event.userId === null || event.userId === userId) &&
    compare(event.position, after) > 0;
  return Buffer.concat(events.filter(isWanted).map(({ from, to }) => bytes.subarray(from, to)));
}
