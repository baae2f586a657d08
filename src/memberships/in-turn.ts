/**
 * Runs tasks of one key one after the other, in the order they came; those of different keys run side by side. A task that
 * fails does not stop the next. So requests of one process on one user never make each other's decision stale.
 */
export function inTurn() {
  const last = new Map<string, Promise<unknown>>();
  return async <T>(key: string, task: () => Promise<T>): Promise<T> => {
    const before = last.get(key);
    const mine = before ? before.then(task, task) : task();
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
}
