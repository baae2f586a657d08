import { exactWords } from '../parts/words.ts';
import { causeWords, shapes } from './glyph.tsx';
import type { Bar, Lane } from './timeline.ts';
import type { View } from './view.ts';

export const laneHeight = 34;
const barTop = 9;
const barHeight = 16;
/** So wide that a stay of a moment is seen too. */
const leastWidth = 3;
const glyphSize = 10;

interface TrackProps {
  lane: Lane;
  view: View;
  width: number;
  now: number;
}

/** The stays of one segment, as far as they are in view. */
export function Track({ lane, view, width, now }: TrackProps) {
  const x = (at: number) => ((at - view.from) / (view.to - view.from)) * width;
  const seen = lane.bars.filter(({ from, to }) => to >= view.from && from <= view.to);
  return (
    <svg class="track" width={width} height={laneHeight} role="img" aria-label={trackWords(lane, now)}>
      {seen.map((bar) => (
        <BarShape key={`${bar.effect}${bar.from}`} bar={bar} x={x} width={width} now={now} />
      ))}
    </svg>
  );
}

function BarShape({ bar, x, width, now }: { bar: Bar; x: (at: number) => number; width: number; now: number }) {
  const left = Math.max(-4, x(bar.from));
  const right = Math.min(width + 4, Math.max(x(Math.min(bar.to, Number.MAX_SAFE_INTEGER)), left + leastWidth));
  const isOut = bar.effect === 'kept-out';
  const look = isOut ? 'excluded' : bar.cause;
  const foreseenFrom = bar.isPlanned ? left : Math.max(left, Math.min(right, x(now)));
  const shape = isOut ? { y: barTop + 4, height: barHeight - 8 } : { y: barTop, height: barHeight };
  const isWide = right - left > 2 * glyphSize + 6;
  return (
    <g class={`bar ${look}`}>
      <title>{barWords(bar, now)}</title>
      {foreseenFrom > left && <rect class="solid" x={left} width={foreseenFrom - left} rx="3" {...shape} fill={fills[look]} />}
      {foreseenFrom < right && <rect class="foreseen" x={foreseenFrom} width={right - foreseenFrom} rx="3" {...shape} />}
      {isWide && !isOut && <Mark at={left + 3} look={bar.cause} isFaint={foreseenFrom <= left} />}
      {bar.end && !isOut && (
        <Mark at={right - glyphSize - (isWide ? 3 : -glyphSize - 1)} look={bar.end.cause} isEnd isOutside={!isWide} />
      )}
    </g>
  );
}

const fills = {
  request: undefined,
  ttl: undefined,
  segment_deleted: undefined,
  import: 'url(#fill-import)',
  rollout: 'url(#fill-rollout)',
  excluded: 'url(#fill-excluded)',
};

function Mark({ at, look, isEnd = false, isFaint = false, isOutside = false }: MarkProps) {
  const looks = ['mark', look, isEnd && 'end', isFaint && 'faint', isOutside && 'outside'].filter(Boolean).join(' ');
  return (
    <g class={looks} transform={`translate(${at} ${barTop + 3})`}>
      <circle cx="5" cy="5" r="6.5" />
      <path d={shapes[look]} transform="translate(1.25 1.25) scale(0.75)" />
    </g>
  );
}

interface MarkProps {
  at: number;
  look: Bar['cause'];
  isEnd?: boolean;
  /** On a bar that is only foreseen. */
  isFaint?: boolean;
  /** Beside a bar that is too small for it. */
  isOutside?: boolean;
}

function barWords({ from, to, effect, cause, by, end, percentageFrom, isPlanned }: Bar, now: number): string {
  const start = effect === 'kept-out' ? `kept out` : isPlanned ? 'planned' : `in ${causeWords[cause]}`;
  const ending = !Number.isFinite(to)
    ? 'with no end'
    : `until ${exactWords(to)}${end ? ` (${causeWords[end.cause]}, ${end.by})` : to > now ? ' (foreseen)' : ''}`;
  const goesOn = percentageFrom === null ? '' : `, by percentage alone from ${exactWords(percentageFrom)},`;
  return `${start}${by ? `, ${by},` : ''} from ${exactWords(from)}${goesOn} ${ending}`;
}

const told = 4;

/** The last stays, in words. */
function trackWords({ segment, bars }: Lane, now: number): string {
  const last = bars.slice(-told).map((bar) => barWords(bar, now));
  const before = bars.length > told ? `${bars.length - told} earlier stays; ` : '';
  return `${segment}: ${before}${last.join('; ')}`;
}
