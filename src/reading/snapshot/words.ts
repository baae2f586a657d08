import { bucketOf } from '../../rollout/bucket.ts';
import { covers } from '../../rollout/ranges.ts';
import type { Moment, Stay } from '../../timeline/facts.ts';
import type { View } from '../../timeline/view.ts';

/**
 * A user's stays as 32-bit words. A stay that began and has no end is one word: the segment's id, then a bit for an
 * exclusion and one that is 0. A pair of which anything is bound to time has a word with that last bit set for each of its
 * stays, by their start, each followed by its start and its end (low and high half of the milliseconds). So most stays take
 * four bytes, and an expiry or a planned start counts to the millisecond with nobody having to do anything then.
 */
export type Words = Uint32Array;

/** What of a stay the present needs. */
export type PresentStay = Pick<Stay, 'segmentId' | 'startsAt' | 'endsAt' | 'excluded'>;

const isTimed = 1;
const isExcluded = 2;
const timedWords = 5;
/** The high half of an end that never comes: later than any moment. */
const never = 0xffffffff;
const high = 2 ** 32;

/** A growing list of words, used again and again so that a load of millions makes no garbage. */
export class WordList {
  words: Words = new Uint32Array(64);
  length = 0;

  push(word: number): void {
    if (this.length === this.words.length) {
      const wider = new Uint32Array(this.length * 2);
      wider.set(this.words);
      this.words = wider;
    }
    this.words[this.length++] = word;
  }
}

/**
 * Writes the stays of one user, sorted by segment and start, in place of what the list held. They are right for every
 * moment from `moment` on: what a later stay of the pair has cut by then, and what is over with nothing planned, is left out.
 */
export function writeWords(list: WordList, stays: readonly PresentStay[], count: number, moment: Moment): void {
  list.length = 0;
  for (let at = 0; at < count;) at = writePair(list, stays, at, count, moment);
}

/**
 * The same for a user of whom the segments in `known` alone are known: `stays` are all of those, and what the words say of
 * other segments stays as it is.
 */
export function rewriteWords(
  list: WordList,
  { words, from, to }: { readonly words: Words; readonly from: number; readonly to: number },
  known: ReadonlySet<number>,
  stays: readonly PresentStay[],
  moment: Moment,
): void {
  list.length = 0;
  let next = 0;
  for (let at = from; at < to;) {
    const segmentId = words[at]! >>> 2;
    while (next < stays.length && stays[next]!.segmentId < segmentId) next = writePair(list, stays, next, stays.length, moment);
    const isKept = !known.has(segmentId);
    for (; at < to && words[at]! >>> 2 === segmentId;) {
      const end = at + (words[at]! & isTimed ? timedWords : 1);
      for (; at < end; at++) if (isKept) list.push(words[at]!);
    }
  }
  while (next < stays.length) next = writePair(list, stays, next, stays.length, moment);
}

/** Writes the pair whose first stay is at `from`; where the next one begins. */
function writePair(list: WordList, stays: readonly PresentStay[], from: number, count: number, moment: Moment): number {
  let at = from;
  let end = at + 1;
  while (end < count && stays[end]!.segmentId === stays[from]!.segmentId) end++;
  // Of what has begun the newest counts, so nothing before it does.
  while (at + 1 < end && stays[at + 1]!.startsAt <= moment) at++;
  const first = stays[at]!;
  if (end === at + 1) {
    if (first.endsAt <= moment) return end;
    if (first.endsAt === Infinity && first.startsAt <= moment) {
      list.push(tag(first));
      return end;
    }
  }
  for (let i = at; i < end; i++) {
    const { startsAt, endsAt } = stays[i]!;
    list.push(tag(stays[i]!) | isTimed);
    list.push(startsAt % high);
    list.push(Math.floor(startsAt / high));
    list.push(endsAt === Infinity ? 0 : endsAt % high);
    list.push(endsAt === Infinity ? never : Math.floor(endsAt / high));
  }
  return end;
}

const tag = ({ segmentId, excluded }: PresentStay) => (segmentId * 4 + (excluded ? isExcluded : 0)) >>> 0;

/** Segments in which the user is in or kept out by hand, of the read under way: reads do not interleave. */
let byHand = new Int32Array(64);
let byHandCount = 0;
/** Exclusive groups of which the user is in one by hand: to that the percentages of the others yield. */
const taken = new Set<string | null>();

/**
 * The slugs of the segments that a user with these words is in at the moment, in byte order: what `segmentsAt` answers from
 * the facts (a property test compares them).
 */
export function slugsOf(words: Words, from: number, to: number, view: View, userId: string, moment: Moment): string[] {
  const slugs: string[] = [];
  byHandCount = 0;
  if (taken.size > 0) taken.clear();
  const { slugs: slugOf, groups, rollouts } = view;
  for (let at = from; at < to;) {
    const word = words[at]!;
    const segmentId = word >>> 2;
    let isInForce = true;
    let excluded = (word & isExcluded) !== 0;
    if (word & isTimed) {
      isInForce = false;
      for (; at < to && words[at]! >>> 2 === segmentId; at += timedWords) {
        if (words[at + 2]! * high + words[at + 1]! > moment) continue;
        isInForce = words[at + 4]! * high + words[at + 3]! > moment; // it cuts what began before it, ended or not
        excluded = (words[at]! & isExcluded) !== 0;
      }
    } else {
      at++;
    }
    if (!isInForce) continue;
    if (rollouts.length > 0) noteByHand(segmentId);
    const slug = slugOf[segmentId];
    if (excluded || slug === undefined) continue;
    slugs.push(slug);
    const group = groups[segmentId];
    if (group !== undefined) taken.add(group);
  }
  if (rollouts.length > 0) addCovered(slugs, view, userId);
  return sorted(slugs);
}

function addCovered(slugs: string[], { rollouts }: View, userId: string): void {
  let salt = '';
  let bucket = -1;
  for (const rollout of rollouts) {
    if (isByHand(rollout.id) || taken.has(rollout.group)) continue;
    if (rollout.salt !== salt || bucket < 0) {
      salt = rollout.salt;
      bucket = bucketOf(salt, userId);
    }
    if (covers(rollout.ranges, bucket)) slugs.push(rollout.slug);
  }
}

/** By insertion while they are few, which they nearly always are. Slugs are ASCII: the order of code units is that of bytes. */
function sorted(slugs: string[]): string[] {
  if (slugs.length > 16) return slugs.sort();
  for (let i = 1; i < slugs.length; i++) {
    const slug = slugs[i]!;
    let at = i;
    for (; at > 0 && slugs[at - 1]! > slug; at--) slugs[at] = slugs[at - 1]!;
    slugs[at] = slug;
  }
  return slugs;
}

function noteByHand(segmentId: number): void {
  if (byHandCount === byHand.length) {
    const wider = new Int32Array(byHandCount * 2);
    wider.set(byHand);
    byHand = wider;
  }
  byHand[byHandCount++] = segmentId;
}

function isByHand(segmentId: number): boolean {
  for (let i = 0; i < byHandCount; i++) if (byHand[i] === segmentId) return true;
  return false;
}

/** The stays that the words tell of. One that is bound to no time began at a moment that is not held, told as 0. */
export function staysOf(words: Words, from: number, to: number): PresentStay[] {
  const stays: PresentStay[] = [];
  for (let at = from; at < to;) {
    const word = words[at]!;
    const segmentId = word >>> 2;
    const excluded = (word & isExcluded) !== 0;
    if ((word & isTimed) === 0) {
      stays.push({ segmentId, startsAt: 0, endsAt: Infinity, excluded });
      at++;
      continue;
    }
    const highEnd = words[at + 4]!;
    stays.push({
      segmentId,
      startsAt: words[at + 2]! * high + words[at + 1]!,
      endsAt: highEnd === never ? Infinity : highEnd * high + words[at + 3]!,
      excluded,
    });
    at += timedWords;
  }
  return stays;
}

/** Tells each time for which the words put the user in by hand: from its start (0: long begun) until its end or what cuts it. */
export function eachInclude(
  words: Words,
  from: number,
  to: number,
  tell: (segmentId: number, startsAt: Moment, endsAt: Moment) => void,
): void {
  for (let at = from; at < to;) {
    const word = words[at]!;
    const segmentId = word >>> 2;
    if ((word & isTimed) === 0) {
      if ((word & isExcluded) === 0) tell(segmentId, 0, Infinity);
      at++;
      continue;
    }
    for (; at < to && words[at]! >>> 2 === segmentId; at += timedWords) {
      if ((words[at]! & isExcluded) !== 0) continue;
      const startsAt = words[at + 2]! * high + words[at + 1]!;
      const highEnd = words[at + 4]!;
      const endsAt = highEnd === never ? Infinity : highEnd * high + words[at + 3]!;
      const next = at + timedWords;
      const cutAt = next < to && words[next]! >>> 2 === segmentId ? words[next + 2]! * high + words[next + 1]! : Infinity;
      tell(segmentId, startsAt, Math.min(endsAt, cutAt));
    }
  }
}
