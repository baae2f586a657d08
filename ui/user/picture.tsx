import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { exactWords, momentWords } from '../parts/words.ts';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { Patterns } from './glyph.tsx';
import { laneHeight, Track } from './lane.tsx';
import type { Timeline } from './timeline.ts';
import { ticksOf, type View } from './view.ts';

interface PictureProps {
  timeline: Timeline;
  view: View;
  /** The moment that the slider points to. */
  at: number;
  now: number;
  onAt: (at: number) => void;
  /** Somebody asks about a segment. */
  onSegment: (slug: string) => void;
}

const sliderSteps = 2_000;

/** The lanes with the slider above. Lanes are drawn anew only when what they show changes, not at each step of the slider. */
export function Picture({ timeline, view, at, now, onAt, onSegment }: PictureProps) {
  const axis = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const sized = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    sized.observe(axis.current!);
    return () => sized.disconnect();
  }, []);
  const share = (moment: number) => (moment - view.from) / (view.to - view.from);
  const drawnNow = Math.floor(now / 10_000) * 10_000; // a lane need not move each second
  const lanes = useMemo(
    () =>
      width > 0 && (
        <VirtualRows
          class="lanes"
          count={timeline.lanes.length}
          rowHeight={laneHeight}
          label="Stays, a lane a segment"
          row={(index) => {
            const lane = timeline.lanes[index]!;
            return (
              <div class="lane">
                <button type="button" class="link" title={`Why ${lane.segment}?`} onClick={() => onSegment(lane.segment)}>
                  {lane.segment}
                </button>
                <Track lane={lane} view={view} width={width} now={drawnNow} />
              </div>
            );
          }}
        />
      ),
    [timeline, view, width, drawnNow],
  );
  return (
    <div class="picture">
      <Patterns />
      <div class="axis-row">
        <div class="axis" ref={axis}>
          <Ticks view={view} width={width} />
          <input
            type="range"
            aria-label="Moment"
            aria-valuetext={exactWords(at)}
            min={0}
            max={sliderSteps}
            value={Math.round(share(at) * sliderSteps)}
            onInput={(event) =>
              onAt(Math.round(view.from + (event.currentTarget.valueAsNumber / sliderSteps) * (view.to - view.from)))
            }
          />
        </div>
      </div>
      <div class="lanes-box">
        {lanes}
        <div class="over" aria-hidden="true">
          <Line share={share(now)} width={width} name="now" />
          <Line share={share(at)} width={width} name="at" />
        </div>
      </div>
    </div>
  );
}

const Line = ({ share, width, name }: { share: number; width: number; name: string }) =>
  share >= 0 && share <= 1 ? <div class={`line ${name}`} style={{ transform: `translateX(${share * width}px)` }} /> : null;

const day = 86_400_000;
const dayWords = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const monthWords = new Intl.DateTimeFormat('en-GB', { month: 'short', year: 'numeric' });
const clockWords = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const secondWords = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

function Ticks({ view, width }: { view: View; width: number }) {
  const offsetMs = -new Date(view.to).getTimezoneOffset() * 60_000;
  const { step, moments } = ticksOf(view, Math.max(2, Math.floor(width / 90)), offsetMs);
  const words = step >= 30 * day ? monthWords : step >= day ? dayWords : step >= 60_000 ? clockWords : secondWords;
  return (
    <div class="ticks" aria-hidden="true">
      {moments.map((moment) => (
        <span
          key={moment}
          title={momentWords(moment)}
          style={{ left: `${((moment - view.from) / (view.to - view.from)) * width}px` }}
        >
          {words.format(moment)}
        </span>
      ))}
    </div>
  );
}
