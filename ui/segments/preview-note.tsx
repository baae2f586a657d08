import type { Movement, Preview } from '../api/answers.ts';
import { hrefTo } from '../parts/route.ts';
import { countWords, momentWords, numberWords, percentWords } from '../parts/words.ts';

interface PreviewNoteProps {
  preview: Preview | null;
  isSame: boolean;
  isLooking: boolean;
}

const idsShown = 12;

/** Who would come and who would go. */
export function PreviewNote({ preview, isSame, isLooking }: PreviewNoteProps) {
  return (
    <div class="note preview" role="status" aria-busy={isLooking}>
      {preview ? (
        <>
          <p>
            From <strong>{percentWords(preview.percent.from)}</strong> to <strong>{percentWords(preview.percent.to)}</strong>
            {preview.effective_at && ` on ${momentWords(preview.effective_at)}`}: {bucketsWords(preview)}.
          </p>
          <Moving movement={preview.enter} what="enter" />
          <Moving movement={preview.leave} what="leave" />
        </>
      ) : (
        <p class="quiet">
          {isSame
            ? 'That is the percentage now. Move the slider to see who would enter or leave.'
            : isLooking
              ? 'Looking who would enter and leave …'
              : 'Give a percentage to see who would enter or leave.'}
        </p>
      )}
    </div>
  );
}

const bucketsWords = ({ buckets: { gained, lost } }: Preview): string =>
  gained > 0
    ? `${countWords(gained, 'bucket')} of 10,000 more`
    : lost > 0
      ? `${countWords(lost, 'bucket')} of 10,000 fewer`
      : 'no bucket changes';

function Moving({ movement, what }: { movement: Movement; what: 'enter' | 'leave' }) {
  const { count, user_ids: ids } = movement;
  const rest = count - Math.min(ids.length, idsShown);
  return (
    <div class={`moving ${what}`}>
      <p>
        <span aria-hidden="true">{what === 'enter' ? '→' : '←'}</span>{' '}
        {count === 0 ? `No known user would ${what}.` : `${countWords(count, 'known user')} would ${what}:`}
      </p>
      {count > 0 && (
        <p class="ids">
          {ids.slice(0, idsShown).map((id) => (
            <a key={id} class="id" href={hrefTo('users', id)}>
              {id}
            </a>
          ))}
          {rest > 0 && <span class="quiet">and {numberWords(rest)} more</span>}
        </p>
      )}
    </div>
  );
}
