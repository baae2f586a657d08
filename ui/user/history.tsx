import { useState } from 'preact/hooks';
import type { HistoryEvent, Link } from '../api/answers.ts';
import { userPath } from '../api/client.ts';
import { followLink } from '../parts/download.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { TextField } from '../parts/field.tsx';
import { useDoing } from '../parts/loading.ts';
import { useClient } from '../parts/session.ts';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { countWords, exactWords, localText, timeZone } from '../parts/words.ts';
import { causeWords, Glyph } from './glyph.tsx';

export function HistoryCard({ userId, events }: { userId: string; events: readonly HistoryEvent[] }) {
  return (
    <section class="card flush history" aria-labelledby="history">
      <header>
        <h2 id="history">
          History <span class="quiet">{countWords(events.length, 'event')}</span>
        </h2>
        <MonthFile userId={userId} />
      </header>
      {events.length === 0 ? (
        <p class="empty">Nothing has happened to this user.</p>
      ) : (
        <VirtualRows
          isTable
          count={events.length}
          rowHeight={40}
          label="History, the newest first"
          head={['When', 'Segment', 'What', 'Cause', 'By']}
          row={(index) => <EventCells event={events[events.length - 1 - index]!} />}
        />
      )}
    </section>
  );
}

const EventCells = ({ event: { at, segment, operation, cause, actor } }: { event: HistoryEvent }) => (
  <>
    <span role="cell" title={at}>
      {exactWords(at)}
    </span>
    <span role="cell">{segment}</span>
    <span role="cell">
      <span class={`tag ${operation === 'add' ? 'good' : ''}`}>{operation === 'add' ? 'in' : 'out'}</span>
    </span>
    <span role="cell">
      <Glyph look={cause} /> {causeWords[cause]}
    </span>
    <span role="cell">{actor}</span>
  </>
);

/** The month of this place, by a link of its own that needs no key. */
function MonthFile({ userId }: { userId: string }) {
  const client = useClient();
  const [month, setMonth] = useState(localText(Date.now()).slice(0, 7));
  const asking = useDoing(async () => {
    const { url } = await client.get<Link>(`${userPath(userId)}/report`, { month, timezone: timeZone() });
    followLink(url);
  });
  return (
    <form
      class="month"
      onSubmit={(event) => {
        event.preventDefault();
        void asking.run();
      }}
    >
      <TextField label="Month" isLabelHidden type="month" value={month} onText={setMonth} />
      <button disabled={asking.isBusy || month === ''}>Download CSV</button>
      <FailureNote failure={asking.failure} />
    </form>
  );
}
