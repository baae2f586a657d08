/** How many users one request may ask about. */
const atOnce = 1_000;

interface Waiting<One> {
  readonly resolve: (one: One) => void;
  readonly reject: (error: Error) => void;
}

interface Batch<Question, One> {
  readonly question: Question;
  readonly users: Map<string, Waiting<One>[]>;
  /** Aborted when nobody waits for it any more. */
  readonly abandoned: AbortController;
  waiting: number;
}

/** After what runs now and what follows from it at once. Browsers have no `setImmediate`. */
const soon: (run: () => void) => unknown =
  (globalThis as { setImmediate?: (run: () => void) => unknown }).setImmediate ?? ((run) => setTimeout(run));

/**
 * Gathers what is asked in one tick: questions of the same kind go into one call of `ask`, each user once, at most a thousand
 * in one. `ask` answers in the order asked; where it fails, all who asked fail.
 */
export function gatherer<Question, One>(
  ask: (userIds: readonly string[], question: Question, signal: AbortSignal) => Promise<readonly One[]>,
) {
  let batches: Batch<Question, One>[] = [];
  let open = new Map<string, Batch<Question, One>>();

  const run = () => {
    for (const batch of batches) void send(batch);
    batches = [];
    open = new Map();
  };

  const send = async ({ question, users, abandoned }: Batch<Question, One>): Promise<void> => {
    try {
      const answers = await ask([...users.keys()], question, abandoned.signal);
      let i = 0;
      for (const all of users.values()) {
        for (const { resolve } of all) resolve(answers[i]!);
        i++;
      }
    } catch (error) {
      for (const all of users.values()) for (const { reject } of all) reject(error as Error);
    }
  };

  const batchFor = (userId: string, question: Question, kind: string): Batch<Question, One> => {
    const there = open.get(kind);
    if (there && (there.users.size < atOnce || there.users.has(userId))) return there;
    if (batches.length === 0) soon(run);
    const batch = { question, users: new Map<string, Waiting<One>[]>(), abandoned: new AbortController(), waiting: 0 };
    batches.push(batch);
    open.set(kind, batch);
    return batch;
  };

  return (userId: string, question: Question, kind: string, signal: AbortSignal | undefined): Promise<One> =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const batch = batchFor(userId, question, kind);
      const leave = () => {
        reject(signal!.reason as Error);
        if (--batch.waiting === 0) batch.abandoned.abort(signal!.reason);
      };
      signal?.addEventListener('abort', leave, { once: true });
      const stay = () => signal?.removeEventListener('abort', leave);
      const one: Waiting<One> = {
        resolve: (answer) => (stay(), resolve(answer)),
        reject: (error) => (stay(), reject(error)),
      };
      const same = batch.users.get(userId);
      if (same) same.push(one);
      else batch.users.set(userId, [one]);
      batch.waiting++;
    });
}
