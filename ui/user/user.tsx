import { useState } from 'preact/hooks';
import { goTo } from '../parts/route.ts';
import { TextField } from '../parts/field.tsx';
import { UserShown } from './user-shown.tsx';

/** Asks for an id, and shows what is known of it. */
export function UserScreen({ userId }: { userId: string | null }) {
  const [typed, setTyped] = useState(userId ?? '');
  return (
    <>
      <div class="head">
        <div>
          <h1>{userId === null ? 'Users' : `User ${userId}`}</h1>
          {userId === null && (
            <p class="quiet">Where somebody is, was and will be, and why. Users are not registered: any id can be asked about.</p>
          )}
        </div>
        <form
          class="find"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            if (typed.trim()) goTo('users', typed.trim());
          }}
        >
          <TextField label="User id" isLabelHidden placeholder="User id" type="search" value={typed} onText={setTyped} />
          <button class={userId === null ? 'primary' : ''}>Show</button>
        </form>
      </div>
      {userId === null ? (
        <div class="card">
          <p class="empty">Type the id of a user, as your services send it.</p>
        </div>
      ) : (
        <UserShown userId={userId} />
      )}
    </>
  );
}
