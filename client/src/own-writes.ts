/** Of how many users their last change is remembered by itself. */
const rememberedUsers = 10_000;

export type OwnWrites = ReturnType<typeof ownWrites>;

/**
 * The revisions of what this client changed, so that its reads ask for at least that. A change of a user counts for reads of
 * that user: reads of others need not wait for a memory that has not heard of it yet. A change of a segment and an import
 * count for all. What is too much to remember by user counts for all as well.
 */
export function ownWrites() {
  const byUser = new Map<string, string>();
  let ofAll: string | undefined;

  return {
    ofUser(userId: string, revision: string): void {
      const known = byUser.get(userId);
      byUser.delete(userId); // so that it stands last
      byUser.set(userId, later(known, revision));
      const [oldest] = byUser;
      if (byUser.size <= rememberedUsers || !oldest) return;
      byUser.delete(oldest[0]);
      ofAll = later(ofAll, oldest[1]);
    },

    ofAll(revision: string | null): void {
      if (revision !== null) ofAll = later(ofAll, revision);
    },

    /** What a read of that user must have reached; `undefined`: nothing was changed. */
    least(userId: string): string | undefined {
      const own = byUser.get(userId);
      return own === undefined ? ofAll : later(ofAll, own);
    },
  };
}

/** The later of two revisions: decimal numbers, of which the longer one is greater. */
export function later(a: string | undefined, b: string): string {
  if (a === undefined) return b;
  return a.length === b.length ? (a > b ? a : b) : a.length > b.length ? a : b;
}
