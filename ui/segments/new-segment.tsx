import { useState } from 'preact/hooks';
import type { Segment } from '../api/answers.ts';
import { faultAt } from '../api/failure.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { TextField } from '../parts/field.tsx';
import { useDoing, useIsShown } from '../parts/loading.ts';
import { useClient } from '../parts/session.ts';

interface NewSegmentProps {
  /** What was searched for in vain may be what is to be made. */
  slug: string;
  onMade: (slug: string) => void;
  onCancel: () => void;
}

/** What is wrong the service says, beside the field that it names. */
export function NewSegment({ slug: given, onMade, onCancel }: NewSegmentProps) {
  const client = useClient();
  const [slug, setSlug] = useState(given);
  const [description, setDescription] = useState('');
  const [percent, setPercent] = useState('');
  const [group, setGroup] = useState('');
  const isShown = useIsShown();
  const making = useDoing(async () => {
    const body = {
      slug: slug.trim(),
      ...(description && { description }),
      ...(percent.trim() && { percent: Number.isNaN(Number(percent)) ? percent : Number(percent) }),
      ...(group.trim() && { exclusive_group: group.trim() }),
    };
    const made = await client.send<Segment>('POST', 'v1/segments', body);
    if (isShown()) onMade(made.slug);
  });
  const fault = (path: string) => faultAt(making.failure, path);
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void making.run();
      }}
    >
      <TextField
        label="Slug"
        value={slug}
        onText={setSlug}
        fault={fault('slug') ?? (making.failure?.problem.code === 'segment_exists' ? making.failure.problem.detail : undefined)}
        hint="Letters, digits, _ . and -, such as SPRING_10. It never changes."
      />
      <TextField label="Description" value={description} onText={setDescription} fault={fault('description')} />
      <div class="row top">
        <TextField
          label="Percentage of all users"
          value={percent}
          onText={setPercent}
          fault={fault('percent')}
          hint="0 to 100 in steps of 0.01; empty: 0."
        />
        <TextField
          label="Exclusive group"
          value={group}
          onText={setGroup}
          fault={fault('exclusive_group')}
          hint="Segments of one group never share a user. It never changes."
        />
      </div>
      <FailureNote failure={making.failure} shown={['slug', 'description', 'percent', 'exclusive_group']} />
      <div class="actions">
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
        <button class="primary" disabled={making.isBusy}>
          {making.isBusy ? 'Creating …' : 'Create'}
        </button>
      </div>
    </form>
  );
}
