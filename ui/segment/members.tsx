import { useEffect, useRef, useState } from 'preact/hooks';
import type { Member, Members } from '../api/answers.ts';
import { segmentPath } from '../api/client.ts';
import { type Failure, failureOf } from '../api/failure.ts';
import { download } from '../parts/download.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useDoing } from '../parts/loading.ts';
import { hrefTo } from '../parts/route.ts';
import { useClient } from '../parts/session.ts';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { countWords, momentWords } from '../parts/words.ts';

const pageSize = 200;

interface MembersCardProps {
  slug: string;
  count: number;
  version: number;
}

/** Who is in by hand: a page at a time as one scrolls, of which only what is in sight is in the document. */
export function MembersCard({ slug, count, version }: MembersCardProps) {
  const client = useClient();
  const { members, failed, isAll, more } = useMembers(slug, version);
  const exporting = useDoing(() => download(client, `${segmentPath(slug)}/members`, `${slug}.csv`));
  return (
    <section class="card flush members" aria-labelledby="members">
      <header>
        <h2 id="members">
          In by hand <span class="quiet">{countWords(count, 'user')}</span>
        </h2>
        <button type="button" disabled={exporting.isBusy || count === 0} onClick={() => void exporting.run()}>
          {exporting.isBusy ? 'Exporting …' : 'Export CSV'}
        </button>
      </header>
      <FailureNote failure={exporting.failure} />
      <FailureNote failure={failed?.failure ?? null} onRetry={failed?.again} />
      {members.length === 0 ? (
        <p class="empty">
          {isAll
            ? 'Nobody is in by hand. Add users one by one under Users, or drop a file.'
            : failed
              ? ''
              : 'Reading who is in …'}
        </p>
      ) : (
        <VirtualRows
          isTable
          count={members.length}
          rowHeight={40}
          label="Who is in by hand, by id"
          head={['User', 'Since', 'Until']}
          onEnd={isAll ? undefined : more}
          row={(index) => <MemberCells member={members[index]!} />}
        />
      )}
    </section>
  );
}

const MemberCells = ({ member: { user_id: id, since, until } }: { member: Member }) => (
  <>
    <span role="cell">
      <a class="mono" href={hrefTo('users', id)}>
        {id}
      </a>
    </span>
    <span role="cell">{momentWords(since)}</span>
    <span role="cell">{until ? momentWords(until) : <span class="quiet">no end</span>}</span>
  </>
);

/** The pages read so far. A change by somebody else reads as many anew. */
function useMembers(slug: string, version: number) {
  const client = useClient();
  const [state, setState] = useState<{ members: Member[]; cursor: string | null; isAll: boolean }>({
    members: [],
    cursor: null,
    isAll: false,
  });
  const [failed, setFailed] = useState<{ failure: Failure; again: () => void } | null>(null);
  const reading = useRef<AbortController | null>(null);

  async function read(from: Member[], cursor: string | null, least: number) {
    reading.current?.abort();
    const own = (reading.current = new AbortController());
    setFailed(null);
    try {
      const members = [...from];
      let next = cursor;
      do {
        const limit = Math.min(1000, Math.max(pageSize, least - members.length));
        const page: Members = await client.get(`${segmentPath(slug)}/members`, { limit, cursor: next }, own.signal);
        members.push(...page.members);
        next = page.next_cursor;
      } while (next !== null && members.length < least);
      if (!own.signal.aborted) setState({ members, cursor: next, isAll: next === null });
    } catch (error) {
      if (!own.signal.aborted) setFailed({ failure: failureOf(error), again: () => void read(from, cursor, least) });
    } finally {
      if (reading.current === own) reading.current = null;
    }
  }
  useEffect(() => {
    void read([], null, Math.min(state.members.length, 5_000));
    return () => reading.current?.abort();
  }, [slug, version]);
  return {
    members: state.members,
    isAll: state.isAll,
    failed,
    /** After a failure nobody but who presses the button asks again, however much is scrolled. */
    more: () => {
      if (!reading.current && !failed && !state.isAll) void read(state.members, state.cursor, state.members.length + pageSize);
    },
  };
}
