import { lastMoment, type Moment } from '../timeline/facts.ts';

/**
 * A place in the order of all that happens: how many changes of a user at a moment lie before it. Changes are in the order
 * of their moments; within a moment those of segments come first (of nobody: an empty id), then users in byte order of their
 * ids, and of one user as in the history. Nothing of a process is in it, and what is settled does not change, so a place is
 * the same for every process, for good.
 */
export interface Position {
  readonly at: Moment;
  readonly userId: string;
  readonly count: number;
}

/** Behind every id: these are visible ASCII. */
const beyondAll = '\u{7f}';

/** Behind all that happens at a moment. */
export const endOf = (at: Moment): Position => ({ at, userId: beyondAll, count: 0 });

/** Behind all that happens to a user at a moment. */
export const endOfUser = (at: Moment, userId: string): Position => ({ at, userId, count: 999_999_999 });

/** Below 0 where the first lies before the second. */
export function compare(a: Position, b: Position): number {
  if (a.at !== b.at) return a.at - b.at;
  return a.userId === b.userId ? a.count - b.count : a.userId < b.userId ? -1 : 1;
}

/** As a stream tells it: `1795428000000:1:1000`, `1795428000000:1:` where it is of segments, `1795428000000` at the end of a moment. */
export const positionText = (position: Position): string =>
  position.userId === beyondAll ? String(position.at) : `${position.at}:${position.count}:${position.userId}`;

const pattern = /^(0|[1-9]\d{0,14})(?::(0|[1-9]\d{0,8}):([!-~]{0,128}))?$/;

/** `undefined` for a text that no stream has told. */
export function parsePosition(text: string): Position | undefined {
  const [, at, count, userId] = pattern.exec(text) ?? [];
  if (at === undefined || Number(at) > lastMoment) return undefined;
  return userId === undefined ? endOf(Number(at)) : { at: Number(at), userId, count: Number(count) };
}
