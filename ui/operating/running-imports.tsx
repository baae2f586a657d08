import type { Imports } from '../api/answers.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useEvery, useLoaded } from '../parts/loading.ts';
import { hrefTo } from '../parts/route.ts';
import { useClient } from '../parts/session.ts';
import { countWords, numberWords } from '../parts/words.ts';

/** The files that are being carried out now, by whichever process. */
export function RunningImports() {
  const client = useClient();
  const { value, failure, reload } = useLoaded(async (signal) => {
    const ask = (state: string) => client.get<Imports>('v1/imports', { state, limit: 100 }, signal);
    const [receiving, running] = await Promise.all([ask('receiving'), ask('running')]);
    return [...running.imports, ...receiving.imports];
  }, []);
  useEvery(1_000, reload);
  return (
    <section class="card" aria-labelledby="running">
      <h2 id="running">Imports running</h2>
      <FailureNote failure={failure} onRetry={reload} />
      {value?.length === 0 && <p class="quiet">None.</p>}
      {value && value.length > 0 && (
        <ul class="import-list">
          {value.map(({ id, segment, operation, state, received, applied, unchanged, rejected }) => {
            const done = applied + unchanged + rejected;
            return (
              <li key={id}>
                <div class="import-head">
                  <a href={hrefTo('segments', segment)}>{segment}</a> <span class="quiet">{operation}</span>
                  <span class="tag warn">{state}</span>
                </div>
                <progress max={Math.max(1, received)} value={done} aria-label={`Rows carried out into ${segment}`} />
                <p class="hint">
                  {numberWords(done)} of {countWords(received, 'row')}
                </p>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}
