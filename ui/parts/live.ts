import { useEffect, useRef } from 'preact/hooks';
import { follow } from '../api/changes.ts';
import type { Change } from '../api/answers.ts';
import type { Query } from '../api/client.ts';
import { useEvery } from './loading.ts';
import { useClient } from './session.ts';
import { tellReachable } from './reachable.ts';

/** A reading of counts comes from the memory of a process, which hears of a change a little later than the stream does. */
const secondLookMs = 1_500;
const gatherMs = 150;
/** Of a file that is imported the stream tells thousands of entries a second. */
const restMs = 1_500;
/** Nobody tells of a plan that was made, an end that was moved or words that were changed. */
const untoldMs = 30_000;

/**
 * Calls `refresh` when others change what is shown: changes that come together are one call, and the last one is followed by
 * a second look. What no event tells of is seen when the tab is looked at again, and now and then while it is. `filter` is that of `/v1/changes`; of what it lets through `matters` says what does.
 */
export function useLive(filter: Query, refresh: () => void, matters: (change: Change) => boolean = () => true): void {
  const client = useClient();
  const latest = useRef({ refresh, matters });
  latest.current = { refresh, matters };
  useEvery(untoldMs, refresh);
  useEffect(() => {
    let soon: ReturnType<typeof setTimeout> | undefined;
    let later: ReturnType<typeof setTimeout> | undefined;
    let refreshedAt = -Infinity;
    const changed = () => {
      soon ??= setTimeout(
        () => {
          soon = undefined;
          refreshedAt = performance.now();
          latest.current.refresh();
        },
        Math.max(gatherMs, refreshedAt + restMs - performance.now()),
      );
      clearTimeout(later);
      later = setTimeout(() => latest.current.refresh(), secondLookMs);
    };
    const stop = follow({
      client,
      filter,
      onChange: (change) => latest.current.matters(change) && changed(),
      onOpen: () => latest.current.refresh(),
      onState: tellReachable,
    });
    return () => {
      stop();
      clearTimeout(soon);
      clearTimeout(later);
    };
  }, [client, JSON.stringify(filter)]);
}

/** The filter that lets through changes of segments alone: nobody's entries are those of this id. */
export const segmentsAlone: Query = { user_id: '-' };
