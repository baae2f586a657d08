import { useEffect, useRef, useState } from 'preact/hooks';
import type { Import, Imports } from '../api/answers.ts';
import { allOf } from '../api/client.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useLoaded } from '../parts/loading.ts';
import { useClient } from '../parts/session.ts';
import { ImportRow } from './import-row.tsx';
import { isOver } from './progress.ts';

const pollMs = 400;
const shown = 5;

/** The last imports into a segment. While one runs it is asked again and again how far it is. */
export function ImportList({ slug, version, onChanged }: { slug: string; version: number; onChanged: () => void }) {
  const client = useClient();
  const [turn, setTurn] = useState(0);
  const { value, failure, reload } = useLoaded(
    async (signal) =>
      (await allOf<Imports>(client, 'v1/imports', { segment: slug, limit: 1000 }, signal)).flatMap(({ imports }) => imports),
    [slug, version, turn],
  );
  const last = (value ?? []).slice(-shown).toReversed();
  const running = last.filter((one) => !isOver(one)).length;
  const wasRunning = useRef(0);
  useEffect(() => {
    if (value === undefined) return undefined;
    if (running < wasRunning.current) onChanged();
    wasRunning.current = running;
    if (running === 0) return undefined;
    const timer = setTimeout(() => setTurn((count) => count + 1), pollMs);
    return () => clearTimeout(timer);
  }, [value]);
  const kept = useRef<Import[]>([]);
  if (value) kept.current = last;
  return (
    <>
      <FailureNote failure={failure} onRetry={reload} />
      {kept.current.length === 0 ? (
        value && <p class="quiet">No file was imported yet.</p>
      ) : (
        <ul class="import-list">
          {kept.current.map((one) => (
            <ImportRow key={one.id} job={one} onChanged={reload} />
          ))}
        </ul>
      )}
    </>
  );
}
