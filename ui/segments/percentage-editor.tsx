import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Preview, Segment } from '../api/answers.ts';
import { segmentPath } from '../api/client.ts';
import { faultAt } from '../api/failure.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { TextField } from '../parts/field.tsx';
import { useDoing, useLoaded, useSettled } from '../parts/loading.ts';
import { useClient } from '../parts/session.ts';
import { momentOf, momentWords, percentWords, timeZone } from '../parts/words.ts';
import { PreviewNote } from './preview-note.tsx';
import { Scheduled } from './scheduled.tsx';

interface PercentageEditorProps {
  segment: Segment;
  onChanged: () => void;
  /** What would be gained is shown elsewhere too. */
  onPreview?: (percent: number | null) => void;
}

/** The percentage, now or at a moment. Nothing is applied that was not looked at: the preview of just that comes first. */
export function PercentageEditor({ segment, onChanged, onPreview }: PercentageEditorProps) {
  const client = useClient();
  const [text, setText] = useState(String(segment.percent));
  const [when, setWhen] = useState('');
  const slider = useId();
  const before = useRef(segment.percent);
  // What somebody else set is shown, unless another wish stands here: one just made too, since this runs after the page is drawn.
  useEffect(() => {
    const was = before.current;
    if (was === segment.percent) return;
    before.current = segment.percent;
    setText((now) => (Number(now) === was ? String(segment.percent) : now));
  }, [segment.percent]);
  const path = segmentPath(segment.slug);
  const wish = useSettled(JSON.stringify(wishOf(text, when)), 250);
  const isSettled = wish === JSON.stringify(wishOf(text, when));
  const isSame = text.trim() !== '' && Number(text) === segment.percent && when === '';
  const preview = useLoaded(
    async (signal) => {
      if (isSame || text.trim() === '') return null;
      const answer = await client.ask('PATCH', path, {
        query: { dry_run: true },
        body: wish,
        headers: { 'content-type': 'application/json' },
        signal,
      });
      return (await answer.json()) as Preview;
    },
    [wish, segment.updated_at, isSame],
  );
  const applying = useDoing(async () => {
    await client.send('PATCH', path, JSON.parse(wish));
    // What is kept for later is not to stand here as a wish for now.
    if (when !== '') {
      setText((now) => (now === text ? String(segment.percent) : now));
      onPreview?.(null);
    }
    setWhen((now) => (now === when ? '' : now));
    onChanged();
  });
  const set = (next: string) => {
    setText(next);
    applying.forget();
    onPreview?.(Number.isFinite(Number(next)) ? Number(next) : null);
  };
  const seen = isSettled && !preview.isLoading ? preview.value : null;
  const failure = applying.failure ?? (isSettled ? preview.failure : null);
  return (
    <div class="percentage">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (seen) void applying.run();
        }}
      >
        <div class="slider">
          <label for={slider} class="unseen">
            Percentage by slider
          </label>
          <input
            id={slider}
            type="range"
            min="0"
            max="100"
            step="1"
            value={Number(text) || 0}
            aria-valuetext={percentWords(Number(text) || 0)}
            onInput={(event) => set(event.currentTarget.value)}
          />
          <TextField label="Percent" value={text} onText={set} fault={faultAt(failure, 'percent')} />
        </div>
        <TextField
          label="When"
          type="datetime-local"
          step={1}
          value={when}
          onText={setWhen}
          fault={faultAt(failure, 'effective_at')}
          hint={when ? `In the time zone ${timeZone()}.` : 'Empty: now. A moment to come is kept by the service.'}
        />
        <FailureNote
          failure={failure}
          shown={['percent', 'effective_at']}
          onRetry={applying.failure ? undefined : preview.reload}
        />
        <PreviewNote
          preview={seen ?? null}
          isSame={isSame}
          isLooking={!failure && !isSame && (!isSettled || preview.isLoading)}
        />
        <div class="actions">
          {(text !== String(segment.percent) || when) && (
            <button
              type="button"
              onClick={() => {
                set(String(segment.percent));
                setWhen('');
              }}
            >
              Undo
            </button>
          )}
          <button class="primary" disabled={!seen || applying.isBusy}>
            {seen
              ? `${seen.effective_at ? 'Schedule' : 'Apply'} ${percentWords(seen.percent.to)}${seen.effective_at ? ` for ${momentWords(seen.effective_at)}` : ''}`
              : 'Apply'}
          </button>
        </div>
      </form>
      <Scheduled segment={segment} onChanged={onChanged} />
    </div>
  );
}

/** As the API takes it. What is no number is sent as it is: the service says what is wrong with it. */
function wishOf(text: string, when: string) {
  const at = momentOf(when);
  const number = Number(text);
  return {
    percent: text.trim() === '' || Number.isNaN(number) ? text : number,
    ...(at !== null && { effective_at: new Date(at).toISOString() }),
  };
}
