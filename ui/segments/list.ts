import { useEffect, useState } from 'preact/hooks';
import type { CountedSegment, Segments } from '../api/answers.ts';
import { segmentsAlone, useLive } from '../parts/live.ts';
import { useEvery, useLoaded } from '../parts/loading.ts';
import { useClient } from '../parts/session.ts';

const pageSize = 50;
/** The stream tells who comes and goes one by one, of an import a million; how many there are is asked now and then. */
const countsEveryMs = 5_000;

/** The segments whose slugs begin so, as many pages as were asked for, kept up to date. */
export function useSegmentList(prefix: string) {
  const client = useClient();
  const [pages, setPages] = useState(1);
  useEffect(() => setPages(1), [prefix]);
  const { value, failure, isLoading, reload } = useLoaded(
    async (signal) => {
      const segments: CountedSegment[] = [];
      let cursor: string | null = null;
      for (let page = 0; page < pages; page++) {
        const part: Segments = await client.get('v1/segments', { prefix, limit: pageSize, cursor }, signal);
        segments.push(...part.segments);
        cursor = part.next_cursor;
        if (cursor === null) break;
      }
      return { prefix, segments, hasMore: cursor !== null };
    },
    [prefix, pages],
  );
  // The list of fewer pages, or of another beginning, until the new one is there.
  const [shown, setShown] = useState(value);
  useEffect(() => {
    if (value) setShown(value);
  }, [value]);
  useLive(segmentsAlone, reload);
  useEvery(countsEveryMs, reload);
  return { shown, failure, isLoading, reload, more: () => setPages(pages + 1) };
}
