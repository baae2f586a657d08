import { type Inputs, useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Failure, failureOf } from '../api/failure.ts';

export interface Loaded<T> {
  /** What came last; kept while it is read anew, so that nothing jumps. */
  readonly value: T | undefined;
  readonly failure: Failure | null;
  readonly isLoading: boolean;
  reload(): void;
}

/** So long an answer is waited for before a wish to read anew gives it up. */
const patienceMs = 30_000;

/**
 * Reads something, and anew when the inputs change. What comes for older inputs is dropped. Who wishes to read anew while it
 * is read already waits for that first: else what is asked for more often than it can be answered would never be seen.
 * Another `version` is such a wish: what is asked for is the same, and may be answered otherwise.
 */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, inputs: Inputs, version = 0): Loaded<T> {
  const [state, setState] = useState<{ value?: T; failure?: Failure | null; isLoading: boolean; of?: string }>({
    isLoading: true,
  });
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => setTurn((turn) => turn + 1), []);
  const underWay = useRef({ since: -Infinity, isWantedAgain: false });
  const of = JSON.stringify(inputs);
  useEffect(() => {
    const gone = new AbortController();
    underWay.current = { since: performance.now(), isWantedAgain: false };
    setState((before) => ({ ...(before.of === of && { value: before.value!, failure: before.failure }), of, isLoading: true }));
    const settle = (outcome: { value: T; failure: null } | { failure: Failure }) => {
      if (gone.signal.aborted) return;
      setState((before) => ({ ...before, ...outcome, isLoading: false }));
      underWay.current.since = -Infinity;
      if (underWay.current.isWantedAgain) again();
    };
    load(gone.signal).then(
      (value) => settle({ value, failure: null }),
      (error: unknown) => settle({ failure: failureOf(error) }),
    );
    return () => gone.abort();
  }, [of, turn]);
  const reload = useCallback(() => {
    if (performance.now() - underWay.current.since > patienceMs) again();
    else underWay.current.isWantedAgain = true;
  }, []);
  const readVersion = useRef(version);
  useEffect(() => {
    if (readVersion.current === version) return;
    readVersion.current = version;
    reload();
  }, [version]);
  const isOf = state.of === of;
  return {
    value: isOf ? state.value : undefined,
    failure: (isOf && state.failure) || null,
    isLoading: !isOf || state.isLoading,
    reload,
  };
}

export interface Doing<A extends unknown[]> {
  readonly failure: Failure | null;
  readonly isBusy: boolean;
  /** Whether it was done. */
  run(...args: A): Promise<boolean>;
  forget(): void;
}

/** Something that is done when asked to, once at a time, with the failure to show. */
export function useDoing<A extends unknown[]>(act: (...args: A) => Promise<void>): Doing<A> {
  const [failure, setFailure] = useState<Failure | null>(null);
  const [isBusy, setBusy] = useState(false);
  const isRunning = useRef(false);
  const run = async (...args: A): Promise<boolean> => {
    if (isRunning.current) return false;
    isRunning.current = true;
    setBusy(true);
    setFailure(null);
    try {
      await act(...args);
      return true;
    } catch (error) {
      setFailure(failureOf(error));
      return false;
    } finally {
      isRunning.current = false;
      setBusy(false);
    }
  };
  return { failure, isBusy, run, forget: () => setFailure(null) };
}

/** Whether it is still shown: whoever has gone elsewhere meanwhile, and types there, is not to be led away by a late answer. */
export function useIsShown(): () => boolean {
  const isShown = useRef(true);
  useEffect(() => () => void (isShown.current = false), []);
  return () => isShown.current;
}

/** The value as it was when it last stood still for so long. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

/** Calls it again and again while the page is looked at. */
export function useEvery(ms: number, call: () => void): void {
  const latest = useRef(call);
  latest.current = call;
  useEffect(() => {
    const timer = setInterval(() => document.hidden || latest.current(), ms);
    return () => clearInterval(timer);
  }, [ms]);
}
