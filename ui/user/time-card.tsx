import { useMemo, useState } from 'preact/hooks';
import { TextField } from '../parts/field.tsx';
import { localText, momentOf } from '../parts/words.ts';
import { Legend } from './glyph.tsx';
import { MomentNote } from './moment-note.tsx';
import { Picture } from './picture.tsx';
import { momentBeside, type Timeline } from './timeline.ts';
import { viewAround, wholeView } from './view.ts';

interface TimeCardProps {
  userId: string;
  timeline: Timeline;
  now: number;
  /** Null: now, whenever that is. */
  at: number | null;
  onAt: (at: number | null) => void;
  onSegment: (slug: string) => void;
}

const day = 86_400_000;
const spans = {
  All: Infinity,
  Year: 365 * day,
  '90 days': 90 * day,
  '30 days': 30 * day,
  Week: 7 * day,
  Day: day,
  Hour: 3_600_000,
};

export function TimeCard({ userId, timeline, now, at, onAt, onSegment }: TimeCardProps) {
  const [span, setSpan] = useState<keyof typeof spans>('All');
  const [centre, setCentre] = useState(timeline.now);
  const whole = useMemo(() => wholeView(timeline.moments, timeline.now), [timeline]);
  const view = useMemo(() => viewAround(centre, spans[span], whole), [centre, span, whole]);
  const shown = at ?? now;
  const jump = (moment: number | null) => {
    onAt(moment);
    const to = moment ?? now;
    if (to < view.from || to > view.to) setCentre(to);
  };
  const [before, after] = [momentBeside(timeline, shown, 'before'), momentBeside(timeline, shown, 'after')];
  return (
    <section class="card time" aria-labelledby="time">
      <header>
        <h2 id="time">Over time</h2>
        <div class="choice" role="group" aria-label="How much time is shown">
          {(Object.keys(spans) as (keyof typeof spans)[])
            .filter((name) => name === 'All' || spans[name] < whole.to - whole.from)
            .map((name) => (
              <button
                key={name}
                type="button"
                aria-pressed={name === span}
                onClick={() => {
                  setSpan(name);
                  setCentre(shown);
                }}
              >
                {name}
              </button>
            ))}
        </div>
      </header>
      {timeline.lanes.length === 0 ? (
        <p class="empty">Nothing was ever recorded of this user, and no percentage takes them.</p>
      ) : (
        <>
          <MomentNote userId={userId} timeline={timeline} at={shown} now={now} isNow={at === null} />
          <Picture timeline={timeline} view={view} at={shown} now={now} onAt={onAt} onSegment={onSegment} />
          <div class="steps">
            <div class="row">
              <button type="button" class="small" disabled={before === undefined} onClick={() => jump(before!)}>
                ‹ Change before
              </button>
              <button type="button" class="small" disabled={at === null} onClick={() => jump(null)}>
                Now
              </button>
              <button type="button" class="small" disabled={after === undefined} onClick={() => jump(after!)}>
                Change after ›
              </button>
              <TextField
                label="At the moment"
                isLabelHidden
                type="datetime-local"
                step={1}
                value={at === null ? '' : localText(at)}
                onText={(text) => jump(momentOf(text))}
              />
            </div>
            <Legend />
          </div>
        </>
      )}
    </section>
  );
}
