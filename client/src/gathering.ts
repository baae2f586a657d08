/** How many users one request may ask about. */
const atOnce = 1_000;

interface Waiting<One> {
  readonly answer: Promise<One>;
  readonly resolve: (one: One) => void;
  readonly reject: (error: Error) => void;
}

interface Batch<Question, One> {
  readonly question: Question;
  readonly users: Map<string, Waiting<One>>;
  /** Aborted when nobody waits for it any more. */
  readonly abandoned: AbortController;
  /** How many wait. */
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

  const batchFor = (userId: string, question: Question, kind: string): Batch<Question, One> => {
    const there = open.get(kind);
    // Who comes after the last one has left begins anew: what was given up would fail for them with another's reason.
    const isGoing = there && !there.abandoned.signal.aborted;
    if (isGoing && (there.users.size < atOnce || there.users.has(userId))) return there;
    if (batches.length === 0) soon(run);
    const batch = { question, users: new Map<string, Waiting<One>>(), abandoned: new AbortController(), waiting: 0 };
    batches.push(batch);
    open.set(kind, batch);
    return batch;
  };

  const send = async ({ question, users, abandoned }: Batch<Question, One>): Promise<void> => {
    try {
      const answers = await ask([...users.keys()], question, abandoned.signal);
      let i = 0;
      for (const { resolve } of users.values()) resolve(answers[i++]!);
    } catch (error) {
      for (const { reject } of users.values()) reject(error as Error);
    }
  };

  return (userId: string, question: Question, kind: string, signal: AbortSignal | undefined): Promise<One> => {
    signal?.throwIfAborted();
    const batch = batchFor(userId, question, kind);
    let one = batch.users.get(userId);
    if (!one) batch.users.set(userId, (one = waiting()));
    batch.waiting++;
    return signal ? unlessLeft(batch, one.answer, signal) : one.answer;
  };
}

function waiting<One>(): Waiting<One> {
  let resolve!: Waiting<One>['resolve'];
  let reject!: Waiting<One>['reject'];
  const answer = new Promise<One>((...settle) => ([resolve, reject] = settle));
  return { answer, resolve, reject };
}

/** The answer for one who may leave before. */
function unlessLeft<One>(batch: Batch<unknown, One>, answer: Promise<One>, signal: AbortSignal): Promise<One> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      reject(signal.reason as Error);
      if (--batch.waiting === 0) batch.abandoned.abort(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    void answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
