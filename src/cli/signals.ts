export const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type StopSignal = (typeof stopSignals)[number];

/** A repeat that comes so soon is the same wish: of one Ctrl-C a process hears from the terminal, and from npm above it again. */
const sameMs = 1_000;

/**
 * Calls `first` when the process is told to stop, and `again` when it is told so once more, however often. Until the function
 * that comes back is called no signal ends the process by itself.
 */
export function onStopSignals(
  first: (signal: StopSignal) => void,
  again: (signal: StopSignal) => void,
  signals: readonly StopSignal[] = stopSignals,
): () => void {
  let toldAt: number | undefined;
  const hear = (signal: StopSignal) => {
    const now = performance.now();
    if (toldAt !== undefined && now - toldAt < sameMs) return;
    const isFirst = toldAt === undefined;
    toldAt = now;
    if (isFirst) first(signal);
    else again(signal);
  };
  for (const signal of signals) process.on(signal, hear);
  return () => {
    for (const signal of signals) process.off(signal, hear);
  };
}
