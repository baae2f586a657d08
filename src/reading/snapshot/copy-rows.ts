import type { Moment } from '../../timeline/facts.ts';

/** Told of each row in turn; the bytes of the id are valid during the call alone. */
export type OnRow = (
  bytes: Buffer,
  idFrom: number,
  idTo: number,
  segmentId: number,
  excluded: boolean,
  startsAt: Moment,
  endsAt: Moment,
) => void;

/** "PGCOPY\n\xff\r\n\0", four bytes of flags, four of the length of an extension. */
const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const headerBytes = signature.length + 8;

/** 2000-01-01, from which PostgreSQL counts, in milliseconds since 1970. */
const postgresEpoch = Date.UTC(2000, 0, 1);

/** Field count, then each field behind its length: the id, integer, boolean and two moments. */
const fixedBytes = 2 + 4 + (4 + 4) + (4 + 1) + (4 + 8) + (4 + 8);
const fields = 5;

/**
 * Reads `COPY (select user_id, segment_id, excluded, starts_at, ends_at …) TO STDOUT (FORMAT binary)` as it arrives, in
 * pieces cut anywhere. The format is that of the PostgreSQL manual, "COPY", Binary Format.
 */
export function copyRows(onRow: OnRow) {
  let rest: Buffer = Buffer.alloc(0);
  const stream = { isBegun: false, isEnded: false };

  /** Where the next row begins; -1 where this one is not whole yet. */
  const readRow = (bytes: Buffer, at: number): number => {
    if (at + 2 > bytes.length) return -1;
    const count = bytes.readInt16BE(at);
    stream.isEnded = count === -1;
    if (stream.isEnded) return bytes.length;
    if (count !== fields) throw new Error(`a row of COPY has ${count} fields, not ${fields}`);
    if (at + fixedBytes > bytes.length) return -1;
    const idFrom = at + 6;
    const idTo = idFrom + bytes.readInt32BE(at + 2);
    if (idTo + fixedBytes - 6 > bytes.length) return -1;
    const segmentId = bytes.readInt32BE(idTo + 4);
    const excluded = bytes[idTo + 12] === 1;
    onRow(bytes, idFrom, idTo, segmentId, excluded, momentAt(bytes, idTo + 17), momentAt(bytes, idTo + 29));
    return idTo + fixedBytes - 6;
  };

  return {
    push(piece: Buffer): void {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      rest = bytes;
      let at = 0;
      if (!stream.isBegun) {
        if (bytes.length < headerBytes) return;
        if (!bytes.subarray(0, signature.length).equals(signature)) throw new Error('not the binary format of COPY');
        at = headerBytes + bytes.readInt32BE(headerBytes - 4);
        if (bytes.length < at) return;
        stream.isBegun = true;
      }
      for (let next = at; next >= 0 && !stream.isEnded; next = readRow(bytes, at)) at = next;
      rest = bytes.subarray(stream.isEnded ? bytes.length : at);
    },

    /** Throws where the stream broke off before its trailer. */
    end(): void {
      if (!stream.isEnded) throw new Error('COPY ended in the middle');
    },
  };
}

/** Microseconds since 2000 as eight bytes; the greatest is `infinity`. Whole milliseconds, so that the rounding is exact. */
function momentAt(bytes: Buffer, at: number): Moment {
  const high = bytes.readInt32BE(at);
  if (high === 0x7fffffff) return Infinity;
  return Math.round((high * 2 ** 32 + bytes.readUInt32BE(at + 4)) / 1000) + postgresEpoch;
}
