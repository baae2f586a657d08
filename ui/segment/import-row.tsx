import { useEffect, useRef, useState } from 'preact/hooks';
import type { Import } from '../api/answers.ts';
import { download } from '../parts/download.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { useDoing } from '../parts/loading.ts';
import { useClient, useMayWrite } from '../parts/session.ts';
import { countWords, durationWords, momentWords, numberWords } from '../parts/words.ts';
import { isOver, quarterWords, rateOf, rowsDone, type Sample, timeLeft, withSample } from './progress.ts';
import { Rejects } from './rejects.tsx';

const looks: Record<Import['state'], string> = { receiving: 'warn', running: 'warn', done: 'good', failed: 'bad', cancelled: '' };
const verbs: Record<Import['operation'], string> = { add: 'Add', remove: 'Remove', replace: 'Replace' };
const errors: Record<string, string> = {
  interrupted: 'The file did not come whole; nothing of it was applied.',
  segment_deleted: 'The segment was deleted meanwhile; what was applied before stays in the history.',
  internal_error: 'Something failed on the side of the service; its log tells more.',
};

/** One import: how far, how quick, how long yet; what came of it. */
export function ImportRow({ job, onChanged }: { job: Import; onChanged: () => void }) {
  const client = useClient();
  const mayWrite = useMayWrite();
  const [isShowing, setShowing] = useState(false);
  const cancelling = useDoing(async () => {
    await client.send('DELETE', `v1/imports/${job.id}`);
    onChanged();
  });
  /** Of what was over before one looked nothing is told. */
  const isWatched = useRef(false);
  if (!isOver(job)) isWatched.current = true;
  const saving = useDoing(() => download(client, `v1/imports/${job.id}/rejects`, `${job.segment}.rejects.csv`));
  return (
    <li>
      <div class="import-head">
        <strong>{verbs[job.operation]}</strong>
        <span class="quiet">{momentWords(job.created_at)}</span>
        <span class={`tag ${looks[job.state]}`}>{job.state}</span>
      </div>
      <p role="status" class="unseen">
        {isWatched.current && spokenWords(job)}
      </p>
      {isOver(job) ? <p class="hint">{outcomeWords(job)}</p> : <Progress job={job} />}
      {job.error && <p class="fault">{errors[job.error] ?? job.error}</p>}
      <FailureNote failure={cancelling.failure ?? saving.failure} />
      <div class="row">
        {!isOver(job) && mayWrite && (
          <button type="button" class="small" disabled={cancelling.isBusy} onClick={() => void cancelling.run()}>
            Cancel the import
          </button>
        )}
        {job.rejected > 0 && (
          <>
            <button type="button" class="small" aria-expanded={isShowing} onClick={() => setShowing(!isShowing)}>
              {isShowing ? 'Hide rejects' : `Show ${countWords(job.rejected, 'reject')}`}
            </button>
            <button type="button" class="small" disabled={saving.isBusy} onClick={() => void saving.run()}>
              Download rejects
            </button>
          </>
        )}
      </div>
      {isShowing && <Rejects job={job} />}
    </li>
  );
}

function Progress({ job }: { job: Import }) {
  const [samples, setSamples] = useState<Sample[]>([]);
  const done = rowsDone(job);
  useEffect(() => setSamples((before) => withSample(before, { at: performance.now(), rows: done })), [job]);
  const rate = rateOf(samples);
  const left = timeLeft(samples, job.received);
  return (
    <div class="stack">
      <progress max={Math.max(1, job.received)} value={done} aria-label="Rows carried out" />
      <p class="hint">
        {job.state === 'receiving'
          ? `${countWords(job.received, 'row')} received`
          : `${numberWords(done)} of ${countWords(job.received, 'row')}`}
        {rate !== null && ` · ${numberWords(Math.round(rate))} a second`}
        {left !== null && job.state === 'running' && ` · ${durationWords(left)} left`}
      </p>
    </div>
  );
}

function spokenWords(job: Import): string {
  if (job.state === 'receiving') return 'The file is received …';
  if (isOver(job)) return `Import ${job.state}: ${countWords(job.applied, 'row')} applied`;
  return quarterWords(rowsDone(job), job.received, 'Import');
}

function outcomeWords({ received, applied, unchanged, rejected, removed, operation }: Import): string {
  const parts = [
    countWords(received, 'row'),
    `${numberWords(applied)} applied`,
    `${numberWords(unchanged)} unchanged`,
    `${numberWords(rejected)} rejected`,
    operation === 'replace' && `${numberWords(removed)} taken out`,
  ];
  return parts.filter(Boolean).join(' · ');
}
