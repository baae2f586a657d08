import type { Changed } from '../api/answers.ts';
import { userPath } from '../api/client.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useDoing } from '../parts/loading.ts';
import { hrefTo } from '../parts/route.ts';
import { useClient, useMayWrite } from '../parts/session.ts';
import { momentWords } from '../parts/words.ts';
import { causeWords, Glyph } from './glyph.tsx';
import { type Bar, holds, type Timeline } from './timeline.ts';

interface NowCardProps {
  userId: string;
  timeline: Timeline;
  now: number;
  onChanged: () => void;
}

/** What the user is in, is planned for and is kept out of. */
export function NowCard({ userId, timeline, now, onChanged }: NowCardProps) {
  const client = useClient();
  const mayWrite = useMayWrite();
  const removing = useDoing(async (slug: string) => {
    await client.send<Changed>('PATCH', `${userPath(userId)}/segments`, { remove: [slug] });
    onChanged();
  });
  const rows = timeline.lanes.flatMap(({ segment, bars }) =>
    bars.filter((bar) => bar.isPlanned || holds(bar, now)).map((bar) => ({ segment, bar })),
  );
  /** A removal takes back what is planned too, so of who is in now the plan alone cannot be taken back. */
  const isIn = new Set(rows.filter(({ bar }) => bar.effect === 'in' && !bar.isPlanned).map(({ segment }) => segment));
  return (
    <section class="card" aria-labelledby="now">
      <h2 id="now">Now and to come</h2>
      <FailureNote failure={removing.failure} />
      {rows.length === 0 ? (
        <p class="quiet">The user is in no segment, and nothing is planned.</p>
      ) : (
        <ul class="standing">
          {rows.map(({ segment, bar }) => (
            <li key={`${segment} ${bar.effect} ${bar.from}`}>
              <Glyph look={bar.effect === 'kept-out' ? 'excluded' : bar.cause} />
              <div>
                <a href={hrefTo('segments', segment)}>{segment}</a>
                <p class="hint">
                  {standingWords(bar)}
                  {mayWrite && bar.isPlanned && isIn.has(segment) && '; to remove the user takes this back too'}
                </p>
              </div>
              {mayWrite && bar.effect === 'in' && !(bar.isPlanned && isIn.has(segment)) && (
                <button
                  type="button"
                  class="small"
                  disabled={removing.isBusy}
                  aria-label={bar.isPlanned ? `Take back ${segment}` : `Remove from ${segment}`}
                  onClick={() => void removing.run(segment)}
                >
                  {bar.isPlanned ? 'Take back' : 'Remove'}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function standingWords({ effect, cause, by, from, to, percentageFrom, isPlanned }: Bar): string {
  const how = effect === 'kept-out' ? 'kept out by hand' : isPlanned ? 'planned' : causeWords[cause];
  const until = Number.isFinite(to) ? `until ${momentWords(to)}` : isPlanned || effect === 'kept-out' ? '' : 'no end';
  const goesOn = percentageFrom === null ? '' : `by percentage alone from ${momentWords(percentageFrom)}`;
  return [`${how}${by ? ` (${by})` : ''}`, `${isPlanned ? 'from' : 'since'} ${momentWords(from)}`, goesOn, until]
    .filter(Boolean)
    .join(', ');
}
