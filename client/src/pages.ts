interface Page {
  readonly next_cursor: string | null;
}

/** All that is on the pages of a list, one after the other; a page is read when its turn comes. */
export async function* pages<One extends Page, Item>(
  read: (cursor: string | undefined) => Promise<One>,
  itemsOf: (page: One) => readonly Item[],
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    yield* itemsOf(page);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
