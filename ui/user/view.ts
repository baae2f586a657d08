/** The part of time that is shown. */
export interface View {
  readonly from: number;
  readonly to: number;
}

const day = 86_400_000;

/** What is foreseen further than this is shown by a step into a later view. */
const farMs = 400 * day;

/** All that happened and is foreseen, with some air. */
export function wholeView(moments: readonly number[], now: number): View {
  const first = Math.min(now - day, moments[0] ?? now);
  const last = Math.max(now, ...moments.filter((moment) => moment < now + farMs).slice(-1));
  const air = (last - first) * 0.03;
  return { from: Math.round(first - air), to: Math.round(last + air) };
}

/** So long a time around a moment, within what there is to see. */
export function viewAround(at: number, spanMs: number, whole: View): View {
  if (spanMs >= whole.to - whole.from) return whole;
  const from = Math.max(whole.from, Math.min(at - spanMs / 2, whole.to - spanMs));
  return { from: Math.round(from), to: Math.round(from + spanMs) };
}

const steps = [1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 10_800_000, 21_600_000].concat(
  [1, 2, 7, 14, 30, 91, 182, 365, 730, 1825].map((days) => days * day),
);

/** Round moments, at most so many, in the time zone that is `offsetMs` ahead of UTC. */
export function ticksOf({ from, to }: View, most: number, offsetMs: number): { step: number; moments: number[] } {
  const step = steps.find((one) => (to - from) / one <= most) ?? steps.at(-1)!;
  const first = Math.ceil((from + offsetMs) / step) * step - offsetMs;
  const moments: number[] = [];
  for (let moment = first; moment <= to; moment += step) moments.push(moment);
  return { step, moments };
}
