import type { Batch } from './batch.ts';
import { compare, type Position } from './position.ts';

/** Bytes that are remembered, of events as they are sent: what a thousand changes a second make in half a minute. */
const mostBytes = 8 * 1024 * 1024;

export type Recent = ReturnType<typeof recentFrom>;

/** The newest part of the stream without a gap, shared by all readers of a process; it reaches from `start` to `end`. */
export function recentFrom(place: Position, maxBytes: number = mostBytes) {
  let [start, end] = [place, place];
  let bytes = 0;
  const batches: Batch[] = [];
  return {
    start: (): Position => start,
    end: (): Position => end,

    /** What comes next. The oldest goes for it, but never all. */
    add(batch: Batch): void {
      end = batch.upTo;
      if (batch.events.length === 0) return;
      batches.push(batch);
      bytes += batch.bytes.length;
      while (bytes > maxBytes && batches.length > 1) {
        const gone = batches.shift()!;
        bytes -= gone.bytes.length;
        start = gone.upTo;
      }
    },

    /** The first batch that reaches behind a place which is not before the start; `undefined` where there is none yet. */
    following(position: Position): Batch | undefined {
      let [low, high] = [0, batches.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (compare(batches[middle]!.upTo, position) <= 0) low = middle + 1;
        else high = middle;
      }
      return batches[low];
    },
  };
}
