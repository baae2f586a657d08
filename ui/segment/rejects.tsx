import type { Import } from '../api/answers.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useLoaded } from '../parts/loading.ts';
import { useClient } from '../parts/session.ts';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { numberWords } from '../parts/words.ts';
import { csvLines } from './csv.ts';

const shown = 1_000;

const reasons: Record<string, string> = {
  invalid_user_id: 'is no user id',
  duplicate: 'was in the file before',
  group_conflict: 'is in another segment of the group',
  too_many_columns: 'has more than one column',
  expired: 'the end had passed',
};

export function Rejects({ job }: { job: Import }) {
  const client = useClient();
  const { value, failure, reload } = useLoaded(
    async (signal) => csvLines(await (await client.ask('GET', `v1/imports/${job.id}/rejects`, { signal })).text(), shown),
    [job.id, job.rejected],
  );
  if (!value) return failure ? <FailureNote failure={failure} onRetry={reload} /> : <p class="quiet">Reading the rejects …</p>;
  return (
    <div class="rejects">
      <VirtualRows
        isTable
        count={value.length}
        rowHeight={34}
        label="Rows that were rejected"
        head={['Line', 'Value', 'Reason']}
        row={(index) => {
          const [line, text, reason] = value[index]!;
          return (
            <>
              <span role="cell">{numberWords(Number(line))}</span>
              <span role="cell" class="mono">
                {text}
              </span>
              <span role="cell" title={reason}>
                {reasons[reason!] ?? reason}
              </span>
            </>
          );
        }}
      />
      {job.rejected > shown && <p class="hint">The first {numberWords(shown)}; the download has all.</p>}
    </div>
  );
}
