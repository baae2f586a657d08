/** How often something may happen in the name of each: `count` times at once, and again as time passes, `count` in `perMs`. */
export interface Rate {
  /** 0 and counted, or not counted and the milliseconds after which it may be tried again. */
  take(name: string): number;
  /** What was taken last counts no more. */
  giveBack(name: string): void;
}

/** Names that are remembered. The one that was longest unheard of is forgotten for the next. */
const maxNames = 10_000;

/**
 * The generic cell rate algorithm (ITU-T I.371): of each name one number is kept, the moment at which all that it took
 * will have been earned.
 */
export function rateOf(count: number, perMs: number, now: () => number = () => performance.now()): Rate {
  const interval = perMs / count;
  const earnedAt = new Map<string, number>();
  const set = (name: string, moment: number) => {
    earnedAt.delete(name); // so that the first one of the map is the one longest unheard of
    earnedAt.set(name, moment);
    if (earnedAt.size > maxNames) earnedAt.delete(earnedAt.keys().next().value!);
  };
  return {
    take(name) {
      const present = now();
      const earned = Math.max(earnedAt.get(name) ?? 0, present);
      const waitMs = earned - present - (perMs - interval);
      if (waitMs > 0.001) return waitMs; // less is the rounding of sums
      set(name, earned + interval);
      return 0;
    },

    giveBack(name) {
      const earned = earnedAt.get(name);
      if (earned !== undefined) earnedAt.set(name, earned - interval);
    },
  };
}

/** Whose an address counts as: its own in IPv4; in IPv6 its /64, since whoever has one address there has them all. */
export function networkOf(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped) return mapped;
  if (!address.includes(':')) return address.slice(0, 64); // what a proxy forwards may be any text
  const [head = '', tail = ''] = address.split('%', 1)[0]!.split('::', 2);
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':'));
  const [first, last] = [groupsOf(head), groupsOf(tail)];
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  const groups = [...first, ...zeros, ...last].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${groups.join(':')}::/64`;
}
