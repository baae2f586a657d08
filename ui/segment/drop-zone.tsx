import { useId, useState } from 'preact/hooks';
import { bytesWords } from '../parts/words.ts';

interface DropZoneProps {
  file: File | null;
  isDisabled: boolean;
  onFile: (file: File) => void;
}

/** Takes a file that is dropped on it, or chosen: the same by keyboard. */
export function DropZone({ file, isDisabled, onFile }: DropZoneProps) {
  const id = useId();
  const [isOver, setOver] = useState(false);
  const take = (files: FileList | null | undefined) => {
    if (files?.[0] && !isDisabled) onFile(files[0]);
  };
  return (
    <div
      class={`drop ${isOver ? 'over' : ''}`}
      data-drop
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
      <p>
        {file ? (
          <>
            <strong>{file.name}</strong> <span class="quiet">{bytesWords(file.size)}</span>
          </>
        ) : (
          'Drop a file of user ids here, an id a line'
        )}
      </p>
      <input
        id={id}
        class="unseen"
        type="file"
        accept=".csv,.txt,text/csv,text/plain"
        disabled={isDisabled}
        onChange={(event) => {
          take(event.currentTarget.files);
          event.currentTarget.value = ''; // else the same file could not be chosen again
        }}
      />
      <label for={id} class="button">
        {file ? 'Another file' : 'Choose a file'}
      </label>
    </div>
  );
}
