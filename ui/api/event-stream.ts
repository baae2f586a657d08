export interface StreamEvent {
  /** Its place, or that of the last one that had one. */
  id: string;
  type: string;
  data: string;
}

/**
 * Reads a stream of events (HTML, "Server-sent events") piece by piece: what `EventSource` does, which cannot send a key.
 * An `id` alone, without data, is told as an event of the type `place`, so that a reader can go on from there.
 */
export function eventReader(tell: (event: StreamEvent) => void): (text: string) => void {
  let rest = '';
  let [id, type, data] = ['', '', ''];
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === '') {
        if (data !== '') tell({ id, type, data });
        else if (id !== '') tell({ id, type: 'place', data });
        [type, data] = ['', ''];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon <= 0) continue;
      const value = line.slice(colon + 1).replace(/^ /, '');
      const field = line.slice(0, colon);
      if (field === 'id') id = value;
      else if (field === 'event') type = value;
      else if (field === 'data') data += value;
    }
  };
}
