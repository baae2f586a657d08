import type { Segment } from '../api/answers.ts';
import { segmentPath } from '../api/client.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useDoing } from '../parts/loading.ts';
import { useClient, useMayWrite } from '../parts/session.ts';
import { exactWords, percentWords } from '../parts/words.ts';

/** What is to come. */
export function Scheduled({ segment, onChanged }: { segment: Segment; onChanged: () => void }) {
  const client = useClient();
  const mayWrite = useMayWrite();
  const cancelling = useDoing(async (id: string) => {
    await client.send('DELETE', `${segmentPath(segment.slug)}/scheduled/${id}`);
    onChanged();
  });
  if (segment.scheduled.length === 0 && !cancelling.failure) return null;
  return (
    <section class="stack" aria-label="Scheduled changes">
      <h3>Scheduled</h3>
      <FailureNote failure={cancelling.failure} />
      <ul class="scheduled">
        {segment.scheduled.map(({ id, percent, effective_at: at }) => (
          <li key={id}>
            <span>
              <strong>{percentWords(percent)}</strong> from {exactWords(at)}
            </span>
            {mayWrite && (
              <button
                type="button"
                class="small"
                disabled={cancelling.isBusy}
                aria-label={`Cancel ${percentWords(percent)} from ${exactWords(at)}`}
                onClick={() => void cancelling.run(id)}
              >
                Cancel
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
