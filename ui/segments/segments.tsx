import { useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.tsx';
import { FailureNote } from '../parts/failure-note.tsx';
import { TextField } from '../parts/field.tsx';
import { useSettled } from '../parts/loading.ts';
import { goTo } from '../parts/route.ts';
import { useMayWrite } from '../parts/session.ts';
import { useSegmentList } from './list.ts';
import { NewSegment } from './new-segment.tsx';
import { PercentageEditor } from './percentage-editor.tsx';
import { SegmentTable } from './segment-table.tsx';

export function SegmentsScreen() {
  const mayWrite = useMayWrite();
  const [typed, setTyped] = useState('');
  const prefix = useSettled(typed.trim(), 200);
  const [dialog, setDialog] = useState<'none' | 'new' | { percentageOf: string }>('none');
  const { shown, failure, isLoading, reload, more } = useSegmentList(prefix);
  const edited = typeof dialog === 'object' ? shown?.segments.find(({ slug }) => slug === dialog.percentageOf) : undefined;
  const close = () => setDialog('none');

  return (
    <>
      <div class="head">
        <div>
          <h1>Segments</h1>
          <p class="quiet">Named sets of users: by hand, by a file, or by a percentage of everybody.</p>
        </div>
        <div class="row">
          <TextField
            label="Find by the beginning of the slug"
            isLabelHidden
            type="search"
            placeholder="Slug begins with …"
            value={typed}
            onText={setTyped}
          />
          {mayWrite && (
            <button type="button" class="primary" onClick={() => setDialog('new')}>
              New segment
            </button>
          )}
        </div>
      </div>
      <FailureNote failure={failure} onRetry={reload} />
      <div class="card flush" aria-busy={isLoading}>
        {!shown ? (
          <p class="empty">{failure ? 'Nothing was read yet.' : 'Reading the segments …'}</p>
        ) : shown.segments.length === 0 ? (
          <NoSegments prefix={shown.prefix} mayWrite={mayWrite} />
        ) : (
          <SegmentTable
            segments={shown.segments}
            mayWrite={mayWrite}
            onPercentage={(slug) => setDialog({ percentageOf: slug })}
          />
        )}
      </div>
      {shown?.hasMore && (
        <button type="button" class="more" onClick={more} disabled={isLoading}>
          Show more
        </button>
      )}
      {dialog === 'new' && (
        <Dialog title="New segment" onClose={close}>
          <NewSegment slug={typed.trim()} onMade={(slug) => goTo('segments', slug)} onCancel={close} />
        </Dialog>
      )}
      {edited && (
        <Dialog title={`Percentage of ${edited.slug}`} onClose={close}>
          <PercentageEditor segment={edited} onChanged={reload} />
        </Dialog>
      )}
    </>
  );
}

const NoSegments = ({ prefix, mayWrite }: { prefix: string; mayWrite: boolean }) => (
  <div class="empty">
    {prefix ? (
      <p>
        No segment begins with <code>{prefix}</code>. Slugs are case-sensitive.
      </p>
    ) : (
      <p>There is no segment yet.{mayWrite && ' Make the first one with “New segment”.'}</p>
    )}
  </div>
);
