/** One event of a stream of `text/event-stream`, or the place alone where there was nothing to tell. */
export interface StreamEvent {
  /** The last `id` that was sent; empty before the first. */
  readonly id: string;
  readonly type: string;
  /** Empty: nothing to tell. */
  readonly data: string;
}

/**
 * Reads server-sent events (HTML, "Server-sent events", "Interpreting an event stream") out of text that comes in pieces. Of
 * the three ends of a line it knows the two with a line feed; `retry` it passes over.
 */
export function eventReader() {
  let [rest, id, type] = ['', '', ''];
  let data: string[] = [];

  /** The events that this piece ends. */
  return function* (piece: string): Generator<StreamEvent, void, undefined> {
    const lines = (rest + piece).split('\n');
    rest = lines.pop()!;
    for (const one of lines) {
      const line = one.endsWith('\r') ? one.slice(0, -1) : one;
      if (line === '') {
        yield { id, type, data: data.join('\n') };
        [type, data] = ['', []];
        continue;
      }
      const colon = line.indexOf(':');
      const [field, value] = colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
      if (field === 'id') id = value;
      else if (field === 'event') type = value;
      else if (field === 'data') data.push(value);
    }
  };
}
