import { useEffect, useState } from 'preact/hooks';

let isReachable = true;
const listeners = new Set<(isReachable: boolean) => void>();

/** What the stream of changes finds: it is the one that asks all the time. */
export function tellReachable(found: boolean): void {
  if (found === isReachable) return;
  isReachable = found;
  for (const listener of listeners) listener(found);
}

export function useReachable(): boolean {
  const [found, setFound] = useState(isReachable);
  useEffect(() => {
    listeners.add(setFound);
    setFound(isReachable);
    return () => void listeners.delete(setFound);
  }, []);
  return found;
}
