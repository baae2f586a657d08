import { useEffect, useState } from 'preact/hooks';
import type { OwnKey } from '../api/answers.ts';
import { clientOf } from '../api/client.ts';
import { Failure } from '../api/failure.ts';
import { FailureNote } from '../parts/failure-note.tsx';
import { TextField } from '../parts/field.tsx';
import { useDoing } from '../parts/loading.ts';
import { forgetKey } from './kept-key.ts';

interface SignInProps {
  /** A key from before a reload, which is tried at once. */
  kept: string | null;
  onSignedIn: (key: OwnKey, text: string) => void;
  isInside?: boolean;
}

export function SignIn({ kept, onSignedIn, isInside = false }: SignInProps) {
  const [text, setText] = useState('');
  const signingIn = useDoing(async (given: string) => onSignedIn(await keyOf(given), given));
  useEffect(() => {
    if (kept) void signingIn.run(kept);
  }, []);
  if (kept && signingIn.isBusy && text === '') return <p class="quiet center">Signing in …</p>;
  return (
    <form
      class={isInside ? 'sign-in' : 'sign-in card'}
      onSubmit={(event) => {
        event.preventDefault();
        void signingIn.run(text.trim());
      }}
    >
      {!isInside && (
        <>
          <h1>segmentd</h1>
          <p class="quiet">Who is in which segment, who was, and why.</p>
        </>
      )}
      <TextField
        label="Key"
        type="password"
        value={text}
        onText={setText}
        hint="It is kept for this tab and sent to this service alone. The first start printed one; others come from whoever runs the service."
        required
      />
      <FailureNote
        failure={signingIn.failure}
        {...(kept && text === '' && signingIn.failure?.status === 0 && { onRetry: () => void signingIn.run(kept) })}
      />
      <button class="primary" disabled={signingIn.isBusy || text.trim() === ''}>
        {signingIn.isBusy ? 'Signing in …' : 'Sign in'}
      </button>
    </form>
  );
}

async function keyOf(text: string): Promise<OwnKey> {
  if (!/^[!-~]+$/.test(text))
    throw new Failure(0, { code: 'unauthorized', detail: 'A key has no spaces and no letters beyond ASCII.' });
  const key = await clientOf(text, forgetKey).get<OwnKey>('v1/key');
  if (key.scope === 'evaluate')
    throw new Failure(403, { code: 'forbidden', detail: `The key ${key.name} may only evaluate flags; this page needs read.` });
  return key;
}
