/**
 * Gathers calls into batches: what is asked in one tick, or waits while all lanes are busy, goes in the next batch.
 * Measured for point reads: twice the throughput of one query a caller (docs/decisions/0002).
 *
 * `run` answers in the order of its items; where it fails, all callers of the batch fail with the same error.
 * `fits` tells whether an item may go with those that wait before it; what does not fit waits for a later batch, and as
 * the first that waits goes always, nothing waits for ever. Without it everything fits.
 */
export function gather<Item, Answer>(options: {
  lanes: number;
  maxItems: number;
  run: (items: Item[]) => Promise<Answer[]>;
  fits?: (item: Item, batch: readonly Item[]) => boolean;
}) {
  const waiting: { item: Item; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];
  let busy = 0;
  let isPlanned = false;

  const plan = () => {
    if (isPlanned || waiting.length === 0 || busy >= options.lanes) return;
    isPlanned = true;
    setImmediate(() => {
      isPlanned = false;
      void runNext();
      plan();
    });
  };

  const takeBatch = () => {
    const { maxItems, fits } = options;
    if (!fits) return waiting.splice(0, maxItems);
    const items: Item[] = [];
    const [batch, rest]: [typeof waiting, typeof waiting] = [[], []];
    for (const one of waiting) {
      const isTaken = items.length < maxItems && (items.length === 0 || fits(one.item, items));
      if (isTaken) items.push(one.item);
      (isTaken ? batch : rest).push(one);
    }
    waiting.splice(0, waiting.length, ...rest);
    return batch;
  };

  const runNext = async () => {
    const batch = takeBatch();
    if (batch.length === 0) return;
    busy++;
    try {
      const answers = await options.run(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, i) => resolve(answers[i]!));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      busy--;
      plan();
    }
  };

  return (item: Item): Promise<Answer> =>
    new Promise<Answer>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      plan();
    });
}
