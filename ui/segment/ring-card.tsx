import { useMemo } from 'preact/hooks';
import type { Ranges } from '../../src/rollout/ranges.ts';
import type { CountedSegment, Segment, Segments } from '../api/answers.ts';
import { allOf } from '../api/client.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useLoaded } from '../parts/loading.ts';
import { hrefTo } from '../parts/route.ts';
import { useClient } from '../parts/session.ts';
import { percentWords } from '../parts/words.ts';
import { freePercent, gainedBy, type Holder, holdersOf } from './ring.ts';

interface RingCardProps {
  segment: CountedSegment;
  /** The percentage that is looked at, where it is another one. */
  wished: number | null;
  version: number;
}

/** The buckets that the group shares, and who holds what. */
export function RingCard({ segment, wished, version }: RingCardProps) {
  const client = useClient();
  const group = segment.exclusive_group!;
  const { value, failure, reload } = useLoaded(
    async (signal) =>
      (await allOf<Segments>(client, 'v1/segments', { exclusive_group: group, limit: 1000 }, signal)).flatMap(
        ({ segments }) => segments,
      ),
    [group, segment.updated_at],
    version,
  );
  const holders = useMemo(() => holdersOf(value ?? []), [value]);
  const gained = useMemo(
    () => (value && wished !== null ? gainedBy(value, segment.slug, wished) : []),
    [value, wished, segment.slug],
  );
  return (
    <section class="card" aria-labelledby="group">
      <header>
        <h2 id="group">Group {group}</h2>
        <p class="quiet">One ring of 10,000 buckets; no user falls to two segments of it.</p>
      </header>
      <FailureNote failure={failure} onRetry={reload} />
      {value && (
        <div class="ring">
          <Ring holders={holders} own={segment.slug} gained={gained} />
          <ul class="holders">
            {holders.map(({ slug, percent, reserved }, i) => (
              <li key={slug}>
                <span class={`swatch ${swatchOf(i)}`} aria-hidden="true" />
                {slug === segment.slug ? <strong>{slug}</strong> : <a href={hrefTo('segments', slug)}>{slug}</a>}
                <span class="number">{percentWords(percent)}</span>
                {reserved.length > 0 && <span class="tag warn">more reserved</span>}
              </li>
            ))}
            <li>
              <span class="swatch free" aria-hidden="true" />
              <span class="quiet">free</span>
              <span class="number">{percentWords(freePercent(holders))}</span>
            </li>
            {gained.length > 0 && (
              <li>
                <span class="swatch gained" aria-hidden="true" />
                <span>
                  {segment.slug} would gain {gained.map(([from, to]) => `${from} to ${to - 1}`).join(', ')}
                </span>
              </li>
            )}
          </ul>
        </div>
      )}
    </section>
  );
}

const swatches = 6;
const swatchOf = (index: number): string => `holder-${index % swatches}`;

function Ring({ holders, own, gained }: { holders: readonly Holder[]; own: Segment['slug']; gained: Ranges }) {
  const words = holders.map(({ slug, percent }) => `${slug} ${percentWords(percent)}`).join(', ');
  return (
    <svg viewBox="-110 -110 220 220" class="ring-picture" role="img" aria-label={`The ring: ${words}, the rest is free`}>
      <circle class="ring-free" r="84" />
      {holders.flatMap(({ slug, ranges, reserved }, i) => [
        ...reserved.map(([from, to]) => (
          <path key={`${slug} reserved ${from}`} class={`reserved ${swatchOf(i)}`} d={arc(from, to, 84)} />
        )),
        ...ranges.map(([from, to]) => (
          <path key={`${slug} ${from}`} class={`held ${swatchOf(i)} ${slug === own ? 'own' : ''}`} d={arc(from, to, 84)}>
            <title>{`${slug}: ${from} to ${to - 1}`}</title>
          </path>
        )),
      ])}
      {gained.map(([from, to]) => (
        <path key={from} class="gained" d={arc(from, to, 84)} />
      ))}
      {[0, 2500, 5000, 7500].map((bucket) => {
        const [x, y] = pointAt(bucket, 50);
        return (
          <text key={bucket} x={x} y={y} aria-hidden="true">
            {bucket}
          </text>
        );
      })}
    </svg>
  );
}

/** Clockwise from the top. */
function pointAt(bucket: number, radius: number): [x: number, y: number] {
  const angle = (bucket / 10_000) * 2 * Math.PI - Math.PI / 2;
  return [Number((Math.cos(angle) * radius).toFixed(3)), Number((Math.sin(angle) * radius).toFixed(3))];
}

function arc(from: number, to: number, radius: number): string {
  const end = to - from >= 10_000 ? to - 1 : to; // a whole circle has no direction
  const [x0, y0] = pointAt(from, radius);
  const [x1, y1] = pointAt(end, radius);
  return `M${x0} ${y0}A${radius} ${radius} 0 ${end - from > 5_000 ? 1 : 0} 1 ${x1} ${y1}`;
}
