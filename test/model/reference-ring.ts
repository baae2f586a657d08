/** One flag for each of the 10,000 buckets. Never changed once somebody has them. */
export type Buckets = Uint8Array;

export const bucketCount = 10_000;
export const noBuckets: Buckets = new Uint8Array(bucketCount);

/** What a segment has of its ring: now, since when each of it, and what it will have. */
export interface Holder {
  has: Buckets;
  /** By bucket; of one that it has not, nothing is said. */
  takenAt: Int32Array;
  /** By their second. */
  plans: { at: number; has: Buckets; by: string }[];
}

export const holdsNothing = (): Holder => ({ has: noBuckets, takenAt: new Int32Array(bucketCount), plans: [] });

/** Has these from that second on. */
export function hold(holder: Pick<Holder, 'has' | 'takenAt'>, has: Buckets, second: number): void {
  for (let bucket = 0; bucket < bucketCount; bucket++) if (has[bucket] && !holder.has[bucket]) holder.takenAt[bucket] = second;
  holder.has = has;
}

/**
 * A share from that second on, which is now or to come; null takes back what is planned for it. Answers how many buckets
 * nobody has from then on where they do not suffice, and then nothing has changed.
 */
export function share(
  holder: Holder,
  mates: readonly Holder[],
  { at, size, by, now }: { at: number; size: number | null; by: string; now: number },
): number | undefined {
  const then = { has: holder.has, takenAt: holder.takenAt.slice() };
  const before = holder.plans.filter((plan) => plan.at < at);
  for (const plan of before) hold(then, plan.has, plan.at);
  const later = holder.plans.filter((plan) => plan.at > at);
  const wanted = [
    { at, size: size ?? sizeOf(then.has), by, had: noBuckets },
    ...later.map((plan) => ({ at: plan.at, size: sizeOf(plan.has), by: plan.by, had: plan.has })),
  ];

  const plans: Holder['plans'] = [];
  for (const [i, want] of wanted.entries()) {
    const promised = ofOthers(mates, want.at, Infinity);
    const isNew = i === 0;
    const reserved = wanted.slice(isNew ? 1 : i).map(({ had }) => had);
    const has = then.has.slice();
    let missing = want.size - sizeOf(has);
    for (const first of [...reserved, undefined])
      for (let bucket = 0; bucket < bucketCount && missing > 0; bucket++)
        if (!has[bucket] && !promised[bucket] && (!first || first[bucket])) {
          has[bucket] = 1;
          missing--;
        }
    if (missing < 0) giveBack(has, -missing, { next: reserved[0] ?? noBuckets, promised, takenAt: then.takenAt });
    if (missing > 0 || overlap(has, ofOthers(mates, want.at, wanted[i + 1]?.at ?? Infinity)))
      return bucketCount - sizeOf(ofOthers([...mates, holder], want.at, Infinity));
    hold(then, has, want.at);
    plans.push({ at: want.at, has, by: want.by });
  }

  if (size === null) plans.shift();
  holder.plans = [...before, ...plans];
  if (at === now) hold(holder, holder.plans.shift()!.has, now);
  return undefined;
}

/** What was taken last goes first, of one raise the highest; what the next plan has goes last, what others count on before. */
function giveBack(
  has: Buckets,
  count: number,
  { next, promised, takenAt }: { next: Buckets; promised: Buckets; takenAt: Int32Array },
): void {
  const later = 1_000_000;
  const byTurn = new Map<number, number[]>();
  let [lastTurn, list]: [number, number[]] = [-1, []];
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    if (!has[bucket]) continue;
    const turn = (next[bucket] ? 0 : 2 * later) + (promised[bucket] ? later : 0) + takenAt[bucket]!;
    if (turn !== lastTurn) byTurn.set(turn, (list = byTurn.get(turn) ?? []));
    lastTurn = turn;
    list.push(bucket);
  }
  const inTurn = [...byTurn].toSorted(([a], [b]) => a - b).flatMap(([, buckets]) => buckets);
  for (const bucket of inTurn.slice(inTurn.length - count)) has[bucket] = 0;
}

function overlap(some: Buckets, others: Buckets): boolean {
  if (others === noBuckets) return false;
  for (let bucket = 0; bucket < bucketCount; bucket++) if (some[bucket] && others[bucket]) return true;
  return false;
}

/** What others have at some second of `[from, until)`. */
function ofOthers(mates: readonly Holder[], from: number, until: number): Buckets {
  if (mates.length === 0) return noBuckets;
  const all = new Uint8Array(bucketCount);
  for (const { has, plans } of mates) {
    const periods = [{ at: -1, has }, ...plans];
    for (const [i, period] of periods.entries()) {
      if (period.at >= until || (periods[i + 1]?.at ?? Infinity) <= from) continue;
      for (let bucket = 0; bucket < bucketCount; bucket++) all[bucket]! |= period.has[bucket]!;
    }
  }
  return all;
}

export function sizeOf(buckets: Buckets): number {
  let size = 0;
  for (let bucket = 0; bucket < bucketCount; bucket++) size += buckets[bucket]!;
  return size;
}

const sizes = new WeakMap<Buckets, number>();

/** Whether somebody has any; of what is held, and so does not change any more, it is counted once. */
export function isAny(buckets: Buckets): boolean {
  const size = sizes.get(buckets) ?? sizeOf(buckets);
  sizes.set(buckets, size);
  return size > 0;
}

const firsts = new Map<number, Buckets>();

/** The share of a segment that shares its ring with nobody: always the first of the buckets. */
export function shareAlone(
  holder: Holder,
  { at, size, by, now }: { at: number; size: number | null; by: string; now: number },
): void {
  const others = holder.plans.filter((plan) => plan.at !== at);
  if (size === null) {
    holder.plans = others;
    return;
  }
  const has = firsts.get(size) ?? Uint8Array.from({ length: bucketCount }, (_, bucket) => (bucket < size ? 1 : 0));
  firsts.set(size, has);
  if (at === now) holder.has = has;
  else holder.plans = [...others, { at, has, by }].sort((a, b) => a.at - b.at);
}

/** As half-open `[from, to)` pairs. */
export function rangesOf(buckets: Buckets): [number, number][] {
  const ranges: [number, number][] = [];
  for (let from = buckets.indexOf(1); from >= 0;) {
    const to = buckets.indexOf(0, from);
    ranges.push([from, to < 0 ? bucketCount : to]);
    from = to < 0 ? -1 : buckets.indexOf(1, to);
  }
  return ranges;
}
