import type { SegmentsOfUser } from '../api/answers.ts';
import { userPath } from '../api/client.ts';
import { useLoaded, useSettled } from '../parts/loading.ts';
import { hrefTo } from '../parts/route.ts';
import { useClient } from '../parts/session.ts';
import { exactWords } from '../parts/words.ts';
import { Glyph } from './glyph.tsx';
import { inAt, type Timeline } from './timeline.ts';

interface MomentNoteProps {
  userId: string;
  timeline: Timeline;
  at: number;
  now: number;
  /** Whether the moment goes on with the clock. */
  isNow: boolean;
}

const restMs = 300;

/**
 * Where the user was, at once from the history that is here; when the slider rests, as the service answers for that moment,
 * whose word counts.
 */
export function MomentNote({ userId, timeline, at, now, isNow }: MomentNoteProps) {
  const client = useClient();
  const asked = useSettled(isNow || at > now ? null : at, restMs);
  const { value: answer } = useLoaded(
    async (signal) =>
      asked === null
        ? null
        : client.get<SegmentsOfUser>(`${userPath(userId)}/segments`, { at: new Date(asked).toISOString() }, signal),
    [userId, asked],
  );
  const isAnswered = answer && asked === at && Date.parse(answer.as_of) === at;
  const drawn = inAt(timeline, at);
  const slugs = isAnswered ? (answer.segments ?? []) : drawn.map(({ segment }) => segment);
  const verb = isNow ? 'is' : at > now ? 'will, by what is known, be' : 'was';
  return (
    <div class="moment-note" role="status" data-at={new Date(at).toISOString()} data-confirmed={isAnswered ? 'true' : 'false'}>
      <p>
        <strong>{isNow ? 'Now' : exactWords(at)}</strong> the user {verb} in{' '}
        {slugs.length === 0 ? 'no segment.' : slugs.length === 1 ? '1 segment:' : `${slugs.length} segments:`}
        {isAnswered && (
          <span class="confirmed" title="The service gives the same answer whenever it is asked about that moment.">
            {' '}
            ✓ final
          </span>
        )}
      </p>
      <p class="ids">
        {slugs.slice(0, 60).map((slug) => (
          <a key={slug} class="id chip" href={hrefTo('segments', slug)}>
            <Glyph look={drawn.find(({ segment }) => segment === slug)?.bar.cause ?? 'request'} />
            {slug}
          </a>
        ))}
        {slugs.length > 60 && <span class="quiet">and {slugs.length - 60} more</span>}
      </p>
    </div>
  );
}
