import { useMemo, useState } from 'preact/hooks';
import type { SizeOverTime } from '../api/answers.ts';
import { segmentPath } from '../api/client.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useLoaded } from '../parts/loading.ts';
import { Plot } from '../parts/plot.tsx';
import { useClient } from '../parts/session.ts';
import { numberWords, shortNumber } from '../parts/words.ts';

const day = 86_400_000;
const spans = { '24 hours': day, '7 days': 7 * day, '30 days': 30 * day, '90 days': 90 * day, Year: 365 * day };

/** There is no half a user. */
const wholeWords = (value: number): string => (Number.isInteger(value) ? shortNumber(value) : '');

/** How many were in by hand, over time. */
export function SizeCard({ slug, version }: { slug: string; version: number }) {
  const client = useClient();
  const [span, setSpan] = useState<keyof typeof spans>('90 days');
  const { value, failure, reload, isLoading } = useLoaded(
    async (signal) => {
      const now = Date.now();
      const { points } = await client.get<SizeOverTime>(
        `${segmentPath(slug)}/timeline`,
        { from: new Date(now - spans[span]).toISOString(), to: new Date(now).toISOString(), points: 200 },
        signal,
      );
      return points;
    },
    [slug, span],
    version,
  );
  const [x, members] = useMemo(
    () => [(value ?? []).map(({ at }) => Date.parse(at) / 1000), (value ?? []).map((point) => point.members)],
    [value],
  );
  const [first, last] = [members[0], members.at(-1)];
  return (
    <section class="card" aria-labelledby="size" aria-busy={isLoading}>
      <header>
        <h2 id="size">Size over time</h2>
        <div class="choice" role="group" aria-label="How much time is shown">
          {(Object.keys(spans) as (keyof typeof spans)[]).map((name) => (
            <button key={name} type="button" aria-pressed={name === span} onClick={() => setSpan(name)}>
              {name}
            </button>
          ))}
        </div>
      </header>
      <FailureNote failure={failure} onRetry={reload} />
      <Plot
        label={`In by hand: ${first === undefined ? 'not read yet' : `${numberWords(first)} at first, ${numberWords(last!)} at last, at most ${numberWords(Math.max(...members))}`}`}
        x={x}
        series={[{ label: 'in by hand', colour: 'request', values: members }]}
        height={250}
        words={wholeWords}
        isFilled
        isStepped
      />
      <p class="hint">Those in by hand, or by a file. Whom a percentage takes is not counted here.</p>
    </section>
  );
}
