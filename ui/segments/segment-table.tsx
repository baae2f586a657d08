import type { CountedSegment } from '../api/answers.ts';
import { hrefTo } from '../parts/route.ts';
import { countWords, numberWords, percentWords } from '../parts/words.ts';
import { SizeCurve } from './size-curve.tsx';

interface SegmentTableProps {
  segments: readonly CountedSegment[];
  mayWrite: boolean;
  onPercentage: (slug: string) => void;
}

/** The segments that were read, a row each; on a telephone a card each. */
export function SegmentTable({ segments, mayWrite, onPercentage }: SegmentTableProps) {
  return (
    <table class="segments">
      <caption class="unseen">Segments</caption>
      <thead>
        <tr>
          <th scope="col">Segment</th>
          <th scope="col">Group</th>
          <th scope="col" class="number">
            In by hand
          </th>
          <th scope="col">Percentage</th>
          <th scope="col">Last 30 days, by hand</th>
        </tr>
      </thead>
      <tbody>
        {segments.map((segment) => (
          <Row key={segment.slug} segment={segment} mayWrite={mayWrite} onPercentage={onPercentage} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ segment, mayWrite, onPercentage }: { segment: CountedSegment } & Omit<SegmentTableProps, 'segments'>) {
  const { slug, description, exclusive_group: group, members, percent, rollout_estimate: estimate, scheduled } = segment;
  return (
    <tr>
      <th scope="row" class="slug">
        <a href={hrefTo('segments', slug)}>{slug}</a>
        {description && <p class="quiet">{description}</p>}
      </th>
      <td class="group">{group ? <span class="tag">{group}</span> : <span class="quiet">–</span>}</td>
      <td class="number members">
        {numberWords(members)} <span class="unit">by hand</span>
      </td>
      <td class="percent">
        <div class="row-parts">
          <div>
            <div class="share">
              <meter min={0} max={100} value={percent} aria-label={`Percentage of ${slug}`} />
              {percentWords(percent)}
            </div>
            {percent > 0 && <p class="hint">about {countWords(estimate, 'known user')}</p>}
            {scheduled.length > 0 && (
              <p class="hint">
                <span class="tag warn">{countWords(scheduled.length, 'change')} scheduled</span>
              </p>
            )}
          </div>
          {mayWrite && (
            <button
              type="button"
              class="small"
              aria-label={`Change the percentage of ${slug}`}
              onClick={() => onPercentage(slug)}
            >
              Change
            </button>
          )}
        </div>
      </td>
      <td class="curve">
        <SizeCurve slug={slug} createdAt={segment.created_at} members={members} />
      </td>
    </tr>
  );
}
