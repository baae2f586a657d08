/** What may have made changes, each of another user: a request whose fate is unknown, or the rows or the leavers of an import. */
export interface Maker {
  /** How many changes it made: of an import just so many, of a request at most that. */
  readonly most: number;
  readonly isRequest: boolean;
  /** The changes that are taken to be its own, by user. */
  readonly made: Map<string, OpenChange>;
}

/** A change that nobody was told the revision of, and all that would have done just that. */
export interface OpenChange {
  readonly userId: string;
  readonly revision: number;
  readonly makers: readonly Maker[];
  maker?: Maker;
}

export const makerOf = (most: number, isRequest: boolean): Maker => ({ most, isRequest, made: new Map() });

/**
 * Gives each change to one that may have made it, so that every import made as many as it says, wherever that can be: two
 * imports at the same time by the same key leave the same trace in whom both would change. It is a flow of the most that goes
 * through, by paths that augment it (Ford and Fulkerson, 1956); the imports are filled first, since no path takes from one
 * what it has, only changes it for another. What finds no room is given to an import that then has more than it says, or to
 * nobody, and those are returned.
 */
export function settle(changes: readonly OpenChange[]): OpenChange[] {
  for (const change of changes) place(change, ({ isRequest }) => !isRequest, new Set());
  for (const change of changes) if (!change.maker) place(change, () => true, new Set());
  return changes.filter((change) => {
    const tooFull = change.makers.find(({ isRequest, made }) => !isRequest && !made.has(change.userId));
    if (!change.maker && tooFull) give(change, tooFull);
    return !change.maker;
  });
}

/** Whether there is room for it, perhaps after others have made room, who then have another place. `seen`: what was tried. */
function place(change: OpenChange, isLetIn: (maker: Maker) => boolean, seen: Set<OpenChange | Maker>): boolean {
  seen.add(change);
  const goesElsewhere = (other: OpenChange) => !seen.has(other) && place(other, isLetIn, seen);
  for (const maker of change.makers) {
    if (!isLetIn(maker)) continue;
    const sameUsers = maker.made.get(change.userId);
    if (sameUsers ? goesElsewhere(sameUsers) : hasRoom(maker)) {
      give(change, maker);
      return true;
    }
  }
  return false;

  function hasRoom(maker: Maker): boolean {
    if (maker.made.size < maker.most) return true;
    if (seen.has(maker)) return false;
    seen.add(maker);
    return [...maker.made.values()].some(goesElsewhere);
  }
}

function give(change: OpenChange, maker: Maker) {
  change.maker?.made.delete(change.userId);
  change.maker = maker;
  maker.made.set(change.userId, change);
}
