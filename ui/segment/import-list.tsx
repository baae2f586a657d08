import { useEffect, useRef } from 'preact/hooks';
import type { Imports } from '../api/answers.ts';
import { allOf } from '../api/client.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useLoaded } from '../parts/loading.ts';
import { useClient } from '../parts/session.ts';
import { ImportRow } from './import-row.tsx';
import { isOver } from './progress.ts';

const pollMs = 400;
/** After a failure, which may pass. */
const patientPollMs = 2_000;
const shown = 5;

/** The last imports into a segment. While one runs it is asked again and again how far it is. */
export function ImportList({ slug, version, onChanged }: { slug: string; version: number; onChanged: () => void }) {
  const client = useClient();
  const { value, failure, reload } = useLoaded(
    async (signal) =>
      (await allOf<Imports>(client, 'v1/imports', { segment: slug, limit: 1000 }, signal)).flatMap(({ imports }) => imports),
    [slug],
    version,
  );
  const last = (value ?? []).slice(-shown).toReversed();
  const running = last.filter((one) => !isOver(one)).length;
  const wasRunning = useRef(0);
  useEffect(() => {
    if (value) {
      if (running < wasRunning.current) onChanged();
      wasRunning.current = running;
    }
    if (wasRunning.current === 0 || failure?.status === 401) return undefined;
    const timer = setTimeout(reload, failure ? patientPollMs : pollMs);
    return () => clearTimeout(timer);
  }, [value, failure]);
  return (
    <>
      <FailureNote failure={failure} onRetry={reload} />
      {last.length === 0 ? (
        value && <p class="quiet">No file was imported yet.</p>
      ) : (
        <ul class="import-list">
          {last.map((one) => (
            <ImportRow key={one.id} job={one} onChanged={reload} />
          ))}
        </ul>
      )}
    </>
  );
}
