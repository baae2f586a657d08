import { useState } from 'preact/hooks';
import type { Changed } from '../api/answers.ts';
import { userPath } from '../api/client.ts';
import { faultAt } from '../api/failure.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { TextField } from '../parts/field.tsx';
import { useDoing } from '../parts/loading.ts';
import { SegmentField } from '../parts/segment-field.tsx';
import { useClient } from '../parts/session.ts';
import { momentOf, timeZone } from '../parts/words.ts';

/** Puts the user in a segment or takes the user out of it. What was typed stays until it is done. */
export function ChangeCard({ userId, onChanged }: { userId: string; onChanged: () => void }) {
  const client = useClient();
  const [slug, setSlug] = useState('');
  const [starts, setStarts] = useState('');
  const [ends, setEnds] = useState('');
  const [makesRoom, setMakesRoom] = useState(false);
  const [done, setDone] = useState('');
  const changing = useDoing(async (operation: 'add' | 'remove') => {
    setDone('');
    const body =
      operation === 'remove'
        ? { remove: [slug.trim()] }
        : {
            add: [slug.trim()],
            ...(starts && { starts_at: sent(starts) }),
            ...(ends && { expires_at: sent(ends) }),
            ...(makesRoom && { replace_in_group: true }),
          };
    setDone(doneWords(await client.send<Changed>('PATCH', `${userPath(userId)}/segments`, body), operation, starts !== ''));
    // What was typed meanwhile stays.
    setSlug(emptyUnlessOther(slug));
    setStarts(emptyUnlessOther(starts));
    setEnds(emptyUnlessOther(ends));
    setMakesRoom(false);
    onChanged();
  });
  const fault = (path: string) => faultAt(changing.failure, path);
  const isEmpty = slug.trim() === '';
  return (
    <section class="card" aria-labelledby="change">
      <h2 id="change">Add or remove</h2>
      {/* The browser refuses a moment that is typed in part: it would tell us of none, and none is now, or never. */}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void changing.run('add');
        }}
      >
        <SegmentField label="Segment" value={slug} onText={setSlug} fault={fault('add') ?? fault('remove')} />
        <div class="row top">
          <TextField
            label="Starts"
            type="datetime-local"
            step={1}
            value={starts}
            onText={setStarts}
            fault={fault('starts_at')}
            hint="Empty: now."
          />
          <TextField
            label="Ends"
            type="datetime-local"
            step={1}
            value={ends}
            onText={setEnds}
            fault={fault('expires_at')}
            hint={ends || starts ? `In the time zone ${timeZone()}.` : 'Empty: never.'}
          />
        </div>
        <label class="check">
          <input type="checkbox" checked={makesRoom} onChange={(event) => setMakesRoom(event.currentTarget.checked)} />
          Make room in the group: end what the user is in by hand in its other segments
        </label>
        <FailureNote failure={changing.failure} shown={['add', 'remove', 'starts_at', 'expires_at']} />
        <p role="status" class="done">
          {done}
        </p>
        <div class="actions">
          <button type="button" disabled={isEmpty || changing.isBusy} onClick={() => void changing.run('remove')}>
            Remove
          </button>
          <button class="primary" disabled={isEmpty || changing.isBusy}>
            Add
          </button>
        </div>
      </form>
    </section>
  );
}

const emptyUnlessOther = (sent: string) => (now: string) => (now === sent ? '' : now);

/** What is no moment goes as it is: the service says what is wrong with it. */
function sent(text: string): string {
  const at = momentOf(text);
  return at === null ? text : new Date(at).toISOString();
}

function doneWords({ added, removed, unchanged }: Changed, operation: 'add' | 'remove', isPlanned: boolean): string {
  if (isPlanned) return `Planned: ${unchanged.concat(added).join(', ')}.`;
  const said = [
    added.length > 0 && `Added to ${added.join(', ')}.`,
    removed.length > 0 && `Removed from ${removed.join(', ')}.`,
    unchanged.length > 0 &&
      `${operation === 'add' ? 'Was in' : 'Was not in'} ${unchanged.join(', ')} before; what was said now counts.`,
  ];
  return said.filter(Boolean).join(' ');
}
