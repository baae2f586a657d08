/** Work in small steps: each `next` is one, and it ends when there is nothing left to do. */
export type Steps = AsyncGenerator<void, void, void>;

/** A step after the other for as long as one says that there is more. */
export async function* repeated(step: () => Promise<boolean>): Steps {
  while (await step()) yield;
}

export interface Turns {
  /** Called after each step. */
  readonly pause: (workedMs: number) => Promise<void>;
  readonly isStopped: () => boolean;
  readonly onFailure: (name: string, error: unknown) => void;
}

/**
 * Carries out several at once, a step of each in turn, so that none waits for the end of another. One that fails is told
 * and ends; the others go on, until it is stopped.
 */
export async function inTurns(
  all: readonly { name: string; steps: Steps }[],
  { pause, isStopped, onFailure }: Turns,
): Promise<void> {
  let going = all;
  while (going.length > 0) {
    const unfinished: { name: string; steps: Steps }[] = [];
    for (const one of going) {
      if (isStopped()) return;
      const begunAt = performance.now();
      try {
        const { done } = await one.steps.next();
        if (!done) unfinished.push(one);
      } catch (error) {
        onFailure(one.name, error);
      }
      await pause(performance.now() - begunAt);
    }
    going = unfinished;
  }
}
