import { userIdPattern } from '../http/user-id.ts';

/** `csv`: RFC 4180 with one column, where a first line `user_id` is a header. `plain`: an id a line, to the letter. */
export type RowFormat = 'csv' | 'plain';

/** Why a row of a file puts nobody in or out. */
export type RejectReason = 'invalid_user_id' | 'too_many_columns' | 'duplicate' | 'group_conflict' | 'expired';

/** One row of a file. A good one has a user id for its value and no reason. */
export interface Row {
  /** From 1, as an editor counts: blank lines and the header count. */
  readonly line: number;
  /** Of a rejected row the text as it came, cut to 256 characters. */
  readonly value: string;
  readonly reason: RejectReason | null;
}

const userId = new RegExp(userIdPattern);
const maxValue = 256;

/** A line that is longer is no id, whatever comes: the rest of it is skipped, and memory stays flat. */
const maxLine = 65_536;

/** How far the end of a quoted field that spans lines is looked for. Behind it, the quote is a broken line of its own. */
const maxQuoted = 2_048;
const quotedField = /"(?:[^"]|""){0,2048}"[ \t]*(?:\r?\n|\r?$|,)/y;

const byteOrderMark = '\u{ef}\u{bb}\u{bf}';

/**
 * Reads a file of ids as it arrives, in pieces cut anywhere. Never throws: a broken line is a row with a reason, and the next
 * line is read for itself. Lines end with LF or CRLF; a byte order mark and spaces around an id are ignored.
 */
export function rowReader(format: RowFormat) {
  let rest = '';
  let line = 0;
  let isBegun = false;
  let isSkipping = false;

  /** Bytes are taken as Latin-1, one character each: ids are ASCII, and a rejected value is read as UTF-8 when it is told. */
  const read = (rows: Row[], isLast: boolean) => {
    const text = rest;
    let at = 0;
    if (!isBegun) {
      if (text.length < byteOrderMark.length && !isLast) return;
      isBegun = true;
      if (text.startsWith(byteOrderMark)) at = byteOrderMark.length;
    }
    while (at < text.length) {
      const end = text.indexOf('\n', at);
      if (isSkipping) {
        isSkipping = end < 0;
        at = end < 0 ? text.length : end + 1;
        continue;
      }
      if (end < 0 && !isLast && text.length - at <= maxLine) break;
      if (end < 0 && !isLast) {
        isSkipping = true;
        rows.push({ line: ++line, value: shown(text.slice(at, at + maxValue * 4)), reason: 'invalid_user_id' });
        at = text.length;
        continue;
      }
      const stop = end < 0 ? text.length : end;
      const value = trimmed(text.slice(at, stop));
      if (format === 'csv' && value.startsWith('"') && !isClosed(value)) {
        if (!isLast && text.length - at < maxQuoted * 2) break; // its end may be still to come
        at = spanning(rows, text, at, stop);
        continue;
      }
      at = stop + 1;
      line++;
      const row = value === '' ? undefined : rowOf(value);
      if (row) rows.push(row);
    }
    rest = text.slice(Math.min(at, text.length));
  };

  const rowOf = (text: string): Row | undefined => {
    if (format === 'csv' && /[",]/.test(text)) return quotedRow(text);
    if (format === 'csv' && line === 1 && text === 'user_id') return undefined;
    return userId.test(text) ? { line, value: text, reason: null } : { line, value: shown(text), reason: 'invalid_user_id' };
  };

  const quotedRow = (text: string): Row | undefined => {
    const [field, after] = firstField(text);
    if (after.startsWith(',')) return { line, value: shown(text), reason: 'too_many_columns' };
    const value = trimmed(field ?? '');
    if (field !== undefined && after === '') {
      if (line === 1 && value === 'user_id') return undefined;
      if (userId.test(value)) return { line, value, reason: null };
    }
    return { line, value: shown(text), reason: 'invalid_user_id' };
  };

  /** A quote that its line does not close: a field of several lines, which no id is, or else a broken line alone. */
  const spanning = (rows: Row[], text: string, from: number, stop: number): number => {
    const start = text.indexOf('"', from);
    quotedField.lastIndex = start;
    const field = quotedField.exec(text)?.[0];
    const value = shown(field ?? text.slice(from, Math.min(stop, from + maxValue * 4)));
    rows.push({ line: line + 1, value, reason: field?.endsWith(',') ? 'too_many_columns' : 'invalid_user_id' });
    const last =
      field === undefined ? stop : field.endsWith('\n') ? start + field.length - 1 : endOfLine(text, start + field.length);
    line += text.slice(from, last).split('\n').length;
    return last + 1;
  };

  return {
    push(bytes: Buffer): Row[] {
      const rows: Row[] = [];
      rest += bytes.toString('latin1');
      read(rows, false);
      return rows;
    },

    /** The rows that had no end of line yet. */
    end(): Row[] {
      const rows: Row[] = [];
      read(rows, true);
      return rows;
    },
  };
}

const endOfLine = (text: string, from: number) => {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
};

/** Without the spaces around it. By hand: an expression that looks for spaces at an end tries each run of them anew. */
function trimmed(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (from < to && (isSpace(text.charCodeAt(to - 1)) || text.charCodeAt(to - 1) === carriageReturn)) to--;
  return text.slice(from, to);
}

const carriageReturn = 0x0d;
const isSpace = (code: number) => code === 0x20 || code === 0x09;

/** Whether the quote that opens a line is closed in it. */
const isClosed = (text: string) => /^"(?:[^"]|"")*"(?!")/.test(text);

/** The first field, undefined where its quotes are wrong, and what follows it. */
function firstField(text: string): [string | undefined, string] {
  const quoted = /^"((?:[^"]|"")*)"[ \t]*(,.*)?$/s.exec(text);
  if (quoted) return [quoted[1]!.replaceAll('""', '"'), quoted[2] ?? ''];
  const comma = text.indexOf(',');
  const field = comma < 0 ? text : text.slice(0, comma);
  return [field.includes('"') ? undefined : field, comma < 0 ? '' : text.slice(comma)];
}

/** As it can be stored and told: UTF-8, without NUL, cut. */
function shown(text: string): string {
  const whole = Buffer.from(text.slice(0, maxValue * 4), 'latin1')
    .toString('utf8')
    .replaceAll('\0', '\u{fffd}');
  const characters = Array.from(whole);
  return characters.length > maxValue ? `${characters.slice(0, maxValue - 1).join('')}…` : whole;
}
