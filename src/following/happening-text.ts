import { momentText } from '../http/moment.ts';
import type { Happening } from './happenings.ts';
import { type Position, positionText } from './position.ts';

/** An event as a stream tells it: HTML, "Server-sent events", "Parsing an event stream". JSON has no line breaks. */
export function happeningText(happening: Happening): string {
  const id = positionText(happening.position);
  if (happening.userId === null) {
    const { slug, change, percent, ranges, at, actor } = happening.change;
    const data = { slug, change, percent, ranges, at: momentText(at), actor };
    return `event: segment\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
  }
  const { userId, event } = happening;
  const { at, segment, operation, cause, actor } = event;
  const data = { user_id: userId, at: momentText(at), segment, operation, cause, actor };
  return `event: ${operation === 'add' ? 'entry' : 'exit'}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The first words: a reader that was cut asks again after a second, and behind this place. */
export const welcomeText = (position: Position): string => `retry: 1000\n${restText(position)}`;

/** Nothing happened up to here: a comment that keeps the connection open, and the place, so that it is not forgotten over silence. */
export const restText = (position: Position): string => `:\nid: ${positionText(position)}\n\n`;
