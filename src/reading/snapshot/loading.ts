import type { Moment } from '../../timeline/facts.ts';
import { copyRows } from './copy-rows.ts';
import type { MemberCounts } from './member-counts.ts';
import type { MembershipTable } from './table.ts';
import { type PresentStay, WordList, writeWords } from './words.ts';

/** Fills a table, and counts its members, from rows that come sorted by user, segment and start. Makes no object a row. */
export function tableLoader(table: MembershipTable, moment: Moment, counts?: MemberCounts) {
  const id = Buffer.alloc(128);
  let idBytes = 0;
  /** Of the user under way, written over for the next. */
  const stays: { -readonly [K in keyof PresentStay]: PresentStay[K] }[] = [];
  let count = 0;
  const list = new WordList();

  const store = () => {
    writeWords(list, stays, count, moment);
    table.setBytes(id, 0, idBytes, list.words, list.length);
    counts?.change(list.words, 0, list.length, 1, moment);
    count = 0;
  };

  const rows = copyRows((bytes, idFrom, idTo, segmentId, excluded, startsAt, endsAt) => {
    if (count > 0 && !isSame(id, idBytes, bytes, idFrom, idTo)) store();
    if (count === 0) {
      idBytes = idTo - idFrom;
      for (let i = 0; i < idBytes; i++) id[i] = bytes[idFrom + i]!;
    }
    const stay = (stays[count++] ??= { segmentId, excluded, startsAt, endsAt });
    stay.segmentId = segmentId;
    stay.excluded = excluded;
    stay.startsAt = startsAt;
    stay.endsAt = endsAt;
  });

  return {
    push: rows.push,
    end(): void {
      rows.end();
      if (count > 0) store();
    },
  };
}

function isSame(id: Buffer, idBytes: number, bytes: Buffer, from: number, to: number): boolean {
  if (to - from !== idBytes) return false;
  for (let i = 0; i < idBytes; i++) if (id[i] !== bytes[from + i]) return false;
  return true;
}
