/** How long something takes, in seconds. */
export async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return (performance.now() - startedAt) / 1000;
}

/** Reads a body to its end without keeping it. */
export async function countLines(body: AsyncIterable<Uint8Array>): Promise<number> {
  let lines = 0;
  for await (const piece of body) for (const byte of piece) if (byte === 10) lines++;
  return lines;
}
