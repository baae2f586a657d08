import { useState } from 'preact/hooks';
import type { Segment } from '../api/answers.ts';
import { segmentPath } from '../api/client.ts';
import { faultAt } from '../api/failure.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { TextField } from '../parts/field.tsx';
import { useDoing } from '../parts/loading.ts';
import { useClient, useMayWrite } from '../parts/session.ts';

export function Description({ segment, onChanged }: { segment: Segment; onChanged: () => void }) {
  const client = useClient();
  const mayWrite = useMayWrite();
  const [typed, setTyped] = useState<string | null>(null);
  const saving = useDoing(async () => {
    await client.send('PATCH', segmentPath(segment.slug), { description: typed });
    setTyped((now) => (now === typed ? null : now)); // what was typed meanwhile stays
    onChanged();
  });
  if (typed === null) {
    return (
      <p class="quiet">
        {segment.description || 'No description.'}{' '}
        {mayWrite && (
          <button type="button" class="link" onClick={() => setTyped(segment.description)}>
            Edit
          </button>
        )}
      </p>
    );
  }
  return (
    <form
      class="description"
      onSubmit={(event) => {
        event.preventDefault();
        void saving.run();
      }}
    >
      <TextField
        label="Description"
        isLabelHidden
        value={typed}
        onText={setTyped}
        fault={faultAt(saving.failure, 'description')}
      />
      <button class="primary" disabled={saving.isBusy}>
        Save
      </button>
      <button type="button" onClick={() => setTyped(null)}>
        Cancel
      </button>
      <FailureNote failure={saving.failure} shown={['description']} />
    </form>
  );
}
