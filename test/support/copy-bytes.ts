import type { Moment } from '../../src/timeline/facts.ts';

/** A row of the snapshot's COPY. */
export interface CopiedRow {
  readonly userId: string;
  readonly segmentId: number;
  readonly excluded: boolean;
  readonly startsAt: Moment;
  readonly endsAt: Moment;
}

/**
 * What `COPY … TO STDOUT (FORMAT binary)` sends of rows, written from the PostgreSQL manual alone ("COPY", Binary Format):
 * a signature, flags and the length of an extension, which readers skip; of each row the count of its fields and each field
 * behind its length, in network byte order; -1 in place of a count at the end.
 */
export function copyBytes(rows: readonly CopiedRow[], extension = Buffer.alloc(0)): Buffer {
  return Buffer.concat([copyHeader(extension), ...rows.map(copyRow), copyTrailer]);
}

export const copyTrailer = int16(-1);

export const copyHeader = (extension = Buffer.alloc(0)): Buffer =>
  Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), int32(0), int32(extension.length), extension]);

export const copyRow = ({ userId, segmentId, excluded, startsAt, endsAt }: CopiedRow): Buffer => {
  const values = [Buffer.from(userId), int32(segmentId), Buffer.of(excluded ? 1 : 0), timestamp(startsAt), timestamp(endsAt)];
  return Buffer.concat([int16(values.length), ...values.flatMap((value) => [int32(value.length), value])]);
};

/** Microseconds since 2000-01-01; the greatest is `infinity`. */
function timestamp(moment: Moment): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(moment === Infinity ? 2n ** 63n - 1n : BigInt(moment - Date.UTC(2000, 0, 1)) * 1000n);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
