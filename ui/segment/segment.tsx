import { useState } from 'preact/hooks';
import type { CountedSegment } from '../api/answers.ts';
import { segmentPath } from '../api/client.ts';
import { Dialog } from '../parts/dialog.tsx';
import { FailureNote } from '../parts/failure-note.tsx';
import { useLive } from '../parts/live.ts';
import { useLoaded } from '../parts/loading.ts';
import { goTo, hrefTo } from '../parts/route.ts';
import { useClient, useMayWrite } from '../parts/session.ts';
import { momentWords, numberWords, percentWords } from '../parts/words.ts';
import { DeleteSegment } from '../segments/delete-segment.tsx';
import { PercentageEditor } from '../segments/percentage-editor.tsx';
import { Scheduled } from '../segments/scheduled.tsx';
import { Description } from './description.tsx';
import { ImportCard } from './import-card.tsx';
import { MembersCard } from './members.tsx';
import { RingCard } from './ring-card.tsx';
import { SizeCard } from './size.tsx';

export function SegmentScreen({ slug }: { slug: string }) {
  const client = useClient();
  const mayWrite = useMayWrite();
  const loaded = useLoaded((signal) => client.get<CountedSegment>(segmentPath(slug), {}, signal), [slug]);
  /** Counts what was heard of, so that parts which read by themselves read anew. */
  const [version, setVersion] = useState(0);
  const [wished, setWished] = useState<number | null>(null);
  const [isDeleting, setDeleting] = useState(false);
  const refresh = () => {
    loaded.reload();
    setVersion((count) => count + 1);
  };
  useLive({ segment: slug }, refresh);
  const segment = loaded.value;
  if (!segment) {
    return (
      <>
        <div class="head">
          <h1>{slug}</h1>
        </div>
        <FailureNote failure={loaded.failure} onRetry={loaded.reload} />
        {!loaded.failure && (
          <div class="card" aria-busy="true">
            <p class="empty">Reading the segment …</p>
          </div>
        )}
      </>
    );
  }
  return (
    <>
      <div class="head">
        <div>
          <p class="quiet crumbs">
            <a href={hrefTo('segments')}>Segments</a> /
          </p>
          <h1>{slug}</h1>
          <Description segment={segment} onChanged={loaded.reload} />
        </div>
        {mayWrite && (
          <button type="button" class="danger" onClick={() => setDeleting(true)}>
            Delete …
          </button>
        )}
      </div>
      <FailureNote failure={loaded.failure} onRetry={loaded.reload} />
      <Figures segment={segment} />
      <div class="columns">
        <SizeCard slug={slug} version={version} />
        <section class="card" aria-labelledby="percentage">
          <h2 id="percentage">Percentage</h2>
          {mayWrite ? (
            <PercentageEditor segment={segment} onChanged={refresh} onPreview={setWished} />
          ) : (
            <>
              <p>
                Takes <strong>{percentWords(segment.percent)}</strong> of all users. Your key may not change it.
              </p>
              <Scheduled segment={segment} onChanged={refresh} />
            </>
          )}
        </section>
      </div>
      {segment.exclusive_group && <RingCard segment={segment} wished={wished} version={version} />}
      <div class="columns">
        <MembersCard slug={slug} count={segment.members} version={version} />
        <ImportCard slug={slug} version={version} onChanged={refresh} />
      </div>
      {isDeleting && (
        <Dialog title={`Delete ${slug}`} onClose={() => setDeleting(false)}>
          <DeleteSegment slug={slug} onDeleted={() => goTo('segments')} onCancel={() => setDeleting(false)} />
        </Dialog>
      )}
    </>
  );
}

function Figures({ segment }: { segment: CountedSegment }) {
  const {
    members,
    percent,
    rollout_estimate: estimate,
    exclusive_group: group,
    salt,
    created_at: created,
    updated_at: updated,
  } = segment;
  return (
    <dl class="tiles">
      <div>
        <dt>In by hand</dt>
        <dd>{numberWords(members)}</dd>
      </div>
      <div>
        <dt>Percentage</dt>
        <dd>
          {percentWords(percent)} {percent > 0 && <small>≈ {numberWords(estimate)} known users</small>}
        </dd>
      </div>
      <div>
        <dt>{group ? 'Exclusive group' : 'Salt'}</dt>
        <dd class="text">{group ?? salt}</dd>
      </div>
      <div>
        <dt>Created</dt>
        <dd class="text">
          {momentWords(created)} {updated !== created && <small>changed {momentWords(updated)}</small>}
        </dd>
      </div>
    </dl>
  );
}
