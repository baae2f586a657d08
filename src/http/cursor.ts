import { invalid } from './problem.ts';
import { quoted } from './quoted.ts';

type Part = 'text' | 'number';
type Position<T extends readonly Part[]> = { -readonly [K in keyof T]: T[K] extends 'text' ? string : number };

/**
 * The cursors of one list: where a page ended, as a text that clients need not understand. `read` answers 400 for one
 * that was not made for this list with parts of these types.
 */
export function cursorsOf<const T extends readonly Part[]>(list: string, parts: T) {
  const isPart = (value: unknown, part: Part) => (part === 'text' ? isVisibleText(value) : Number.isSafeInteger(value));
  return {
    at: (...position: Position<T>): string => Buffer.from(JSON.stringify([list, ...position])).toString('base64url'),

    read(cursor: string): Position<T> {
      try {
        const [origin, ...position]: unknown[] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
        const isOurs = origin === list && position.length === parts.length && parts.every((part, i) => isPart(position[i], part));
        if (isOurs) return position as Position<T>;
      } catch {
        // No JSON, or no list: told below, as any other text that is no cursor.
      }
      throw notACursor(cursor);
    },
  };
}

export const notACursor = (cursor: string) =>
  invalid('cursor', `must be the next_cursor of the page before; got ${quoted(cursor)}.`);

/** Of a list that was read with one more than the page holds: the page, and where the next one goes on, if there is one. */
export function pageOf<T>(found: readonly T[], limit: number, cursorAt: (last: T) => string) {
  const shown = found.slice(0, limit);
  return { shown, nextCursor: found.length > limit ? cursorAt(shown.at(-1)!) : null };
}

/** Slugs, ids, operations and names of keys are; PostgreSQL takes neither NUL nor a lone surrogate. */
const isVisibleText = (value: unknown) => typeof value === 'string' && /^[^\p{C}\p{Z}]{1,128}$/u.test(value);
