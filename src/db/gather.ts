import { BusyError } from './failures.ts';

/**
 * Gathers calls into batches: what is asked in one tick, or waits while all lanes are busy, goes in the next batch.
 * Measured for point reads: twice the throughput of one query a caller (docs/decisions/0002).
 *
 * `run` answers in the order of its items; where it fails, all callers of the batch fail with the same error.
 * What is asked for faster than it is answered must not pile up until nothing is answered in time: where `maxWaiting` wait
 * for a lane (default: any number), a call fails with `BusyError` at once, and where it has waited for one for `patienceMs`
 * (default 5,000), then.
 * `fits` tells whether an item may go with those that wait before it; what does not fit waits for a later batch, and as
 * the first that waits goes always, nothing waits for ever. Without it everything fits.
 */
export function gather<Item, Answer>(options: {
  lanes: number;
  maxItems: number;
  run: (items: Item[]) => Promise<Answer[]>;
  maxWaiting?: number;
  patienceMs?: number;
  fits?: (item: Item, batch: readonly Item[]) => boolean;
}) {
  const { maxWaiting = Infinity, patienceMs = 5_000 } = options;
  const waiting: { item: Item; since: number; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];
  let busy = 0;
  let isPlanned = false;
  let expiry: NodeJS.Timeout | undefined;

  /** Runs only while there are calls that found all lanes busy. They wait in the order they came. */
  const expire = () => {
    expiry = undefined;
    const tooOld = performance.now() - patienceMs;
    const kept = waiting.findIndex(({ since }) => since > tooOld);
    for (const { reject } of waiting.splice(0, kept === -1 ? waiting.length : kept))
      reject(new BusyError(`The database was busy for ${patienceMs} ms.`));
    awaitExpiry();
  };
  const awaitExpiry = () => {
    if (expiry || waiting.length === 0 || busy < options.lanes) return;
    expiry = setTimeout(expire, Math.max(1, waiting[0]!.since + patienceMs - performance.now() + 1)).unref();
  };

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
    awaitExpiry();
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
      if (waiting.length >= maxWaiting)
        return reject(new BusyError(`The database has ${waiting.length} questions to answer first.`));
      waiting.push({ item, since: performance.now(), resolve, reject });
      plan();
      awaitExpiry();
    });
}
