import { useRef, useState } from 'preact/hooks';
import type { Import } from '../api/answers.ts';
import { segmentPath } from '../api/client.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { Field, TextField } from '../parts/field.tsx';
import { useDoing } from '../parts/loading.ts';
import { useClient, useMayWrite } from '../parts/session.ts';
import { bytesWords } from '../parts/words.ts';
import { DropZone } from './drop-zone.tsx';
import { ImportList } from './import-list.tsx';
import { quarterWords } from './progress.ts';
import { newName, type Sending, sendFile } from './upload.ts';

interface ImportCardProps {
  slug: string;
  version: number;
  onChanged: () => void;
}

const operations: Record<Import['operation'], string> = {
  add: 'add them',
  remove: 'remove them',
  replace: 'make those in by hand exactly these',
};

/** A file of ids, and how far each import is. */
export function ImportCard({ slug, version, onChanged }: ImportCardProps) {
  const client = useClient();
  const mayWrite = useMayWrite();
  const [file, setFile] = useState<File | null>(null);
  const [operation, setOperation] = useState<Import['operation']>('add');
  const [days, setDays] = useState('');
  const [sent, setSent] = useState(0);
  const [made, setMade] = useState(0);
  const sending = useRef<Sending | null>(null);
  /** What names the import, so that a repeat is one; another one for another wish. */
  const name = useRef('');
  const importing = useDoing(async (chosen: File) => {
    setSent(0);
    const seconds = Math.round(Number(days) * 86_400);
    const query = {
      operation,
      ...(days.trim() && operation !== 'remove' && { ttl_seconds: Number.isNaN(seconds) ? days : seconds }),
    };
    sending.current = sendFile(client, {
      path: `${segmentPath(slug)}/imports`,
      query,
      file: chosen,
      idempotencyKey: name.current,
      onSent: setSent,
    });
    await sending.current.answer;
    setFile(null);
    setMade((count) => count + 1);
  });
  return (
    <section class="card imports" aria-labelledby="imports">
      <h2 id="imports">Import</h2>
      {mayWrite && (
        <>
          <p role="status" class="unseen">
            {file && importing.isBusy ? quarterWords(sent, file.size, 'Sending') : made > 0 && 'The file was sent'}
          </p>
          <DropZone
            file={file}
            isDisabled={importing.isBusy}
            onFile={(dropped) => {
              importing.forget();
              name.current = newName();
              setFile(dropped);
            }}
          />
          {file && (
            <div class="stack">
              <div class="row">
                <Field label="What to do with the users of the file">
                  {(attributes) => (
                    <select
                      {...attributes}
                      value={operation}
                      onChange={(event) => {
                        name.current = newName();
                        setOperation(event.currentTarget.value as Import['operation']);
                      }}
                    >
                      {Object.entries(operations).map(([value, words]) => (
                        <option key={value} value={value}>
                          {words}
                        </option>
                      ))}
                    </select>
                  )}
                </Field>
                {operation !== 'remove' && (
                  <TextField
                    label="For so many days"
                    placeholder="no end"
                    value={days}
                    onText={(text) => {
                      name.current = newName();
                      setDays(text);
                    }}
                  />
                )}
              </div>
              {importing.isBusy && (
                <div class="stack">
                  <progress max={file.size} value={sent} aria-label="Sent" />
                  <p class="hint">
                    {bytesWords(sent)} of {bytesWords(file.size)} sent
                  </p>
                </div>
              )}
              <FailureNote failure={importing.failure} />
              <div class="actions">
                <button
                  type="button"
                  onClick={() => {
                    if (importing.isBusy) sending.current?.cancel();
                    else setFile(null);
                  }}
                >
                  Cancel
                </button>
                <button type="button" class="primary" disabled={importing.isBusy} onClick={() => void importing.run(file)}>
                  {importing.isBusy ? 'Sending …' : 'Import'}
                </button>
              </div>
            </div>
          )}
        </>
      )}
      <ImportList slug={slug} version={version + made} onChanged={onChanged} />
    </section>
  );
}
