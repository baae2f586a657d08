import type { Cause } from '../api/answers.ts';

export type Look = Cause | 'excluded';

export const causeWords: Record<Look, string> = {
  request: 'by hand',
  import: 'by a file',
  rollout: 'by percentage',
  ttl: 'the end came',
  segment_deleted: 'segment deleted',
  excluded: 'kept out by hand',
};

/** A cause by its shape, so that it is told without its colour too. */
export const shapes: Record<Look, string> = {
  request: 'M5 0a5 5 0 1 0 0.01 0z',
  import: 'M0.5 0.5h9v9h-9z',
  rollout: 'M5 0 10 9.5H0z',
  ttl: 'M5 0 10 5 5 10 0 5z',
  segment_deleted: 'M1.5 0 5 3.5 8.5 0 10 1.5 6.5 5 10 8.5 8.5 10 5 6.5 1.5 10 0 8.5 3.5 5 0 1.5z',
  excluded: 'M0 3.5h10v3H0z',
};

export const Glyph = ({ look }: { look: Look }) => (
  <svg class={`glyph ${look}`} viewBox="-1 -1 12 12" width="12" height="12" aria-hidden="true">
    <path d={shapes[look]} />
  </svg>
);

/** What fills the bars: each cause has a pattern of its own. */
export const Patterns = () => (
  <svg class="patterns" width="0" height="0" aria-hidden="true">
    <defs>
      <pattern id="fill-import" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect class="bar-import" width="6" height="6" />
        <rect class="bar-light" width="2" height="6" />
      </pattern>
      <pattern id="fill-rollout" width="6" height="6" patternUnits="userSpaceOnUse">
        <rect class="bar-rollout" width="6" height="6" />
        <circle class="bar-light" cx="3" cy="3" r="1.2" />
      </pattern>
      <pattern id="fill-excluded" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">
        <rect class="bar-excluded" width="1.5" height="5" />
      </pattern>
    </defs>
  </svg>
);

export function Legend() {
  return (
    <ul class="legend" aria-label="What the marks mean">
      {(['request', 'import', 'rollout'] as const).map((look) => (
        <li key={look}>
          <Glyph look={look} /> in {causeWords[look]}
        </li>
      ))}
      {(['ttl', 'segment_deleted'] as const).map((look) => (
        <li key={look}>
          <Glyph look={look} /> {look === 'ttl' ? 'out: the end came' : 'out: segment deleted'}
        </li>
      ))}
      <li>
        <Glyph look="excluded" /> kept out
      </li>
      <li>
        <span class="planned-mark" aria-hidden="true" /> planned or foreseen
      </li>
    </ul>
  );
}
