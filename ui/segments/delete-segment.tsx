import { useState } from 'preact/hooks';
import { segmentPath } from '../api/client.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { TextField } from '../parts/field.tsx';
import { useDoing, useIsShown } from '../parts/loading.ts';
import { useClient } from '../parts/session.ts';

/** Only who has typed the slug deletes it. */
export function DeleteSegment({ slug, onDeleted, onCancel }: { slug: string; onDeleted: () => void; onCancel: () => void }) {
  const client = useClient();
  const [typed, setTyped] = useState('');
  const isShown = useIsShown();
  const deleting = useDoing(async () => {
    await client.send('DELETE', segmentPath(slug));
    if (isShown()) onDeleted();
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (typed === slug) void deleting.run();
      }}
    >
      <p>
        Everybody who is in <code>{slug}</code> is out at that moment; each of those exits is in the history. It cannot be undone:
        a segment of the same slug is a new one.
      </p>
      <TextField label={`Type ${slug} to delete it`} value={typed} onText={setTyped} />
      <FailureNote failure={deleting.failure} />
      <div class="actions">
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
        <button class="danger" disabled={typed !== slug || deleting.isBusy}>
          {deleting.isBusy ? 'Deleting …' : 'Delete the segment'}
        </button>
      </div>
    </form>
  );
}
