import { useEffect, useMemo, useState } from 'preact/hooks';
import type { OwnKey } from './api/answers.ts';
import { clientOf } from './api/client.ts';
import { Operating } from './operating/operating.tsx';
import { Dialog } from './parts/dialog.tsx';
import { useReachable } from './parts/reachable.ts';
import { hrefTo, useRoute } from './parts/route.ts';
import { type Session, SessionContext } from './parts/session.ts';
import { useNoStrayFiles } from './parts/stray-files.ts';
import { SegmentScreen } from './segment/segment.tsx';
import { SegmentsScreen } from './segments/segments.tsx';
import { forgetKey, keptKey, keepKey } from './sign-in/kept-key.ts';
import { SignIn } from './sign-in/sign-in.tsx';
import { UserScreen } from './user/user.tsx';

const screens = { segments: 'Segments', users: 'Users', operating: 'Operating' } as const;

/** The sign-in, or the screen that the address names with what is around all of them. */
export function Page() {
  useNoStrayFiles();
  const [signedIn, setSignedIn] = useState<{ key: OwnKey; text: string } | null>(null);
  /** A key that ended while it was used. The screen stays, with all that was typed in it, below the question for another one. */
  const [ended, setEnded] = useState<string | null>(null);
  const session = useMemo<Session | null>(
    () => signedIn && { client: clientOf(signedIn.text, () => setEnded(signedIn.text)), key: signedIn.key },
    [signedIn],
  );
  /** Not where a request of before, with the key of before, is refused only now. */
  const isEnded = signedIn !== null && ended === signedIn.text;
  const onSignedIn = (key: OwnKey, text: string) => {
    keepKey(text);
    setEnded(null);
    setSignedIn({ key, text });
  };
  const signOut = () => {
    forgetKey();
    setSignedIn(null);
    setEnded(null);
  };
  if (!session) {
    return (
      <main class="entrance">
        <SignIn kept={keptKey()} onSignedIn={onSignedIn} />
      </main>
    );
  }
  return (
    <SessionContext.Provider value={session}>
      <Frame session={session} onSignOut={signOut} />
      {isEnded && (
        <Dialog title="The key has ended" onClose={() => setEnded(null)}>
          <p>The service no longer knows the key {session.key.name}. Nothing on the page is lost: go on with another one.</p>
          <SignIn kept={null} onSignedIn={onSignedIn} isInside />
        </Dialog>
      )}
    </SessionContext.Provider>
  );
}

function Frame({ session, onSignOut }: { session: Session; onSignOut: () => void }) {
  const [name = 'segments', subject] = useRoute();
  const isReachable = useReachable();
  const shown = Object.hasOwn(screens, name) ? (name as keyof typeof screens) : 'segments';
  useEffect(() => {
    document.title = `${subject ?? screens[shown]} · segmentd`;
    scrollTo(0, 0);
  }, [shown, subject]);
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href={hrefTo('segments')}>
          <Mark />
          segmentd
        </a>
        <nav aria-label="Screens">
          {Object.entries(screens).map(([screen, title]) => (
            <a key={screen} href={hrefTo(screen)} aria-current={screen === shown ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <div class="who">
          <span title={`The key ${session.key.name} may ${session.key.scope}.`}>
            {session.key.name} <span class="tag">{session.key.scope}</span>
          </span>
          <button type="button" class="small" onClick={onSignOut}>
            Sign out
          </button>
        </div>
      </header>
      <div role="status">
        {!isReachable && (
          <p class="banner">
            The service does not answer. What you see may be old; the page tries again by itself and loses nothing.
          </p>
        )}
      </div>
      <main id="content" tabIndex={-1}>
        {shown === 'segments' && (subject ? <SegmentScreen key={subject} slug={subject} /> : <SegmentsScreen />)}
        {shown === 'users' && <UserScreen key={subject ?? ''} userId={subject ?? null} />}
        {shown === 'operating' && <Operating />}
      </main>
    </>
  );
}

/** The address behind `#` is the screen, so the link moves the focus itself. */
function skip(event: Event) {
  event.preventDefault();
  document.querySelector<HTMLElement>('#content')!.focus();
}

/** Stays on three lanes. */
const Mark = () => (
  <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
    <rect class="mark-ground" width="32" height="32" rx="8" />
    <rect class="mark-stay" x="6" y="9" width="14" height="4" rx="2" />
    <rect class="mark-stay faint" x="11" y="15" width="15" height="4" rx="2" />
    <rect class="mark-stay" x="6" y="21" width="9" height="4" rx="2" />
  </svg>
);
