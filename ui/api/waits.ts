const firstMs = 500;
const longestMs = 5_000;
/** Who stayed so long was not sent away at once. */
const stayMs = 10_000;

/** How long to wait before a connection that lived so long is opened again: longer each time, unless it had stayed. */
export function waits(): (livedMs: number) => number {
  let nextMs = firstMs;
  return (livedMs) => {
    const ms = livedMs >= stayMs ? firstMs : nextMs;
    nextMs = Math.min(ms * 2, longestMs);
    return ms;
  };
}
