import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { FailureNote } from '../parts/failure-note.tsx';
import { useLive } from '../parts/live.ts';
import { useLoaded } from '../parts/loading.ts';
import { useClient, useMayWrite } from '../parts/session.ts';
import { ChangeCard } from './change-card.tsx';
import { HistoryCard } from './history.tsx';
import { NowCard } from './now-card.tsx';
import { readUser } from './reading.ts';
import { TimeCard } from './time-card.tsx';
import { nextByItself, timelineOf } from './timeline.ts';
import { WhyCard } from './why.tsx';

/** The longest that a browser's timer takes. */
const longestMs = 2 ** 31 - 1;

export function UserShown({ userId }: { userId: string }) {
  const client = useClient();
  const mayWrite = useMayWrite();
  const loaded = useLoaded(
    async (signal) => {
      const told = await readUser(client, userId, signal);
      return { ...told, readAt: performance.now() };
    },
    [userId],
  );
  useLive({ user_id: userId }, loaded.reload);
  const told = loaded.value;
  const timeline = useMemo(() => told && timelineOf(told), [told]);
  const now = useClock(told ? told.now - told.readAt : null);
  const [at, setAt] = useState<number | null>(null);
  const [slug, setSlug] = useState('');

  // What begins or ends by itself is read anew then, also where the stream of changes is broken.
  useEffect(() => {
    const next = timeline && nextByItself(timeline);
    if (!next) return undefined;
    const timer = setTimeout(loaded.reload, Math.min(longestMs, Math.max(0, next - now) + 50));
    return () => clearTimeout(timer);
  }, [timeline]);

  if (!told || !timeline) {
    return (
      <>
        <FailureNote failure={loaded.failure} onRetry={loaded.reload} />
        {!loaded.failure && (
          <div class="card" aria-busy="true">
            <p class="empty">Reading what is known of the user …</p>
          </div>
        )}
      </>
    );
  }
  const ask = (segment: string) => {
    setSlug(segment);
    document.querySelector('#why')?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <>
      <FailureNote failure={loaded.failure} onRetry={loaded.reload} />
      <TimeCard userId={userId} timeline={timeline} now={now} at={at} onAt={setAt} onSegment={ask} />
      <div class="columns">
        <div class="stack wide-gap">
          <WhyCard
            userId={userId}
            slug={slug}
            onSlug={setSlug}
            at={at !== null && at < now ? at : null}
            version={told.readAt}
            known={timeline.lanes.map(({ segment }) => segment)}
            events={told.events}
          />
          {mayWrite && <ChangeCard userId={userId} onChanged={loaded.reload} />}
        </div>
        <NowCard userId={userId} timeline={timeline} now={now} onChanged={loaded.reload} />
      </div>
      <HistoryCard userId={userId} events={told.events} />
    </>
  );
}

/** The clock of the service, each second. `offset`: how far it is ahead of `performance.now()`. */
function useClock(offset: number | null): number {
  const [, tick] = useState(0);
  const latest = useRef(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1_000);
    return () => clearInterval(timer);
  }, []);
  if (offset !== null) latest.current = Math.round(performance.now() + offset);
  return latest.current;
}
