import { useEffect, useRef, useState } from 'preact/hooks';
import type { SizeOverTime } from '../api/answers.ts';
import { type Client, segmentPath } from '../api/client.ts';
import { useClient } from '../parts/session.ts';
import { Spark } from '../parts/spark.tsx';
import { numberWords } from '../parts/words.ts';

const shownMs = 30 * 86_400_000;
const keptMs = 60_000;

/** How many were in by hand, read when the row comes into sight. Where that fails there is no curve: the number is beside it. */
export function SizeCurve({ slug, createdAt, members }: { slug: string; createdAt: string; members: number }) {
  const client = useClient();
  const box = useRef<HTMLDivElement>(null);
  const [past, setPast] = useState<number[] | null>(null);
  useEffect(() => {
    const onSight: IntersectionObserverCallback = ([entry]) => {
      if (!entry?.isIntersecting) return;
      seen.disconnect();
      void curveOf(client, slug, createdAt).then(setPast);
    };
    const seen = new IntersectionObserver(onSight, { rootMargin: '1000px' });
    seen.observe(box.current!);
    return () => seen.disconnect();
  }, [client, slug, createdAt]);
  const values = past && [...past, members];
  return (
    <div class="size-curve" ref={box}>
      {values && <Spark values={values} label={`from ${numberWords(values[0]!)} to ${numberWords(members)} in by hand`} />}
    </div>
  );
}

const kept = new Map<string, { at: number; curve: Promise<number[]> }>();
let last: Promise<unknown> = Promise.resolve();

/** One after the other: they cost the database more than what else the screen asks. */
function curveOf(client: Client, slug: string, createdAt: string): Promise<number[]> {
  const name = `${slug} ${createdAt}`;
  const known = kept.get(name);
  if (known && performance.now() - known.at < keptMs) return known.curve;
  const now = Date.now();
  const from = new Date(now - shownMs).toISOString();
  const curve = last.then(async () => {
    const { points } = await client.get<SizeOverTime>(`${segmentPath(slug)}/timeline`, {
      from,
      to: new Date(now).toISOString(),
      points: 30,
    });
    return points.map(({ members }) => members);
  });
  const orNone = curve.catch(() => {
    kept.delete(name);
    return [];
  });
  last = orNone;
  kept.set(name, { at: performance.now(), curve: orNone });
  return orNone;
}
