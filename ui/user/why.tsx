import type { HistoryEvent, Why } from '../api/answers.ts';
import { userPath } from '../api/client.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useLoaded, useSettled } from '../parts/loading.ts';
import { SegmentField } from '../parts/segment-field.tsx';
import { useClient } from '../parts/session.ts';
import { exactWords } from '../parts/words.ts';
import { whySentence } from './why-sentence.ts';

interface WhyCardProps {
  userId: string;
  slug: string;
  onSlug: (slug: string) => void;
  /** Null: now. */
  at: number | null;
  /** Changes with what was read of the user: then the answer may be another one. */
  version: number;
  known: readonly string[];
  events: readonly HistoryEvent[];
}

export function WhyCard({ userId, slug, onSlug, at, version, known, events }: WhyCardProps) {
  const client = useClient();
  const asked = useSettled(slug.trim(), 300);
  const moment = useSettled(at, 300);
  const { value, failure, reload } = useLoaded(
    async (signal) =>
      asked === ''
        ? null
        : client.get<Why>(
            `${userPath(userId)}/segments/${encodeURIComponent(asked)}`,
            { at: moment === null ? null : new Date(moment).toISOString() },
            signal,
          ),
    [userId, asked, moment],
    version,
  );
  return (
    <section class="card" aria-labelledby="why">
      <header>
        <h2 id="why">Why?</h2>
        <span class="quiet">{moment === null ? 'now' : exactWords(moment)}</span>
      </header>
      <SegmentField label="Segment" value={slug} onText={onSlug} more={known} />
      <div role="status" class="why-answer">
        {value && asked ? (
          <p>
            <span class={`tag ${value.member ? 'good' : ''}`}>{value.member ? 'in' : 'out'}</span>{' '}
            {whySentence(
              value,
              exactWords,
              events.find(({ segment, at: turn }) => segment === value.segment && turn === value.since),
            )}
          </p>
        ) : (
          !failure && <p class="quiet">{asked ? 'Asking …' : 'Choose a segment, or press its name in the picture.'}</p>
        )}
      </div>
      {asked !== '' && <FailureNote failure={failure} onRetry={failure?.status === 404 ? undefined : reload} />}
    </section>
  );
}
