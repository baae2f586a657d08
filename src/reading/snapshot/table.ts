import { finished, mixed } from '../../rollout/murmur3.ts';
import type { Words } from './words.ts';

/** Words of a block of the arena: small enough that emptying one takes about a millisecond. */
const blockBits = 16;
const blockWords = 2 ** blockBits;
const maxBlocks = 2 ** 16 - 1; // so that a reference and one more fits 32 bits

/** The table is cut in parts that grow each for itself, so that no growth stops the process for long. */
const partBits = 10;
const startBits = 32 - partBits;
const firstSlots = 8;
const fullest = 0.7;
const growth = 1.5;

const maxIdBytes = 128;

/** The most users that `prefetch` takes at a time. */
export const maxAhead = 64;
const maxStayWords = 2 ** 24 - 1;

/**
 * Users and the words of their stays (see words.ts) in typed arrays: nothing here is an object a user, so that the garbage
 * collector has nothing to walk. An open-addressing hash table with linear probing (Knuth, The Art of Computer Programming
 * 3, 6.4, algorithms L and R) refers to records in an arena of blocks:
 *
 *     head: length of the id in bytes (low 8 bits), count of stay words | id, four bytes a word | stay words
 *
 * A record whose size changes is written anew; a block of which more than a quarter is dead is emptied into the newest one
 * and used again. The hash is MurmurHash3 with a seed of this process.
 */
export class MembershipTable {
  /** Users with at least one stay. */
  users = 0;
  /** Of the record that `find` found: where its stay words are. */
  found: Words = new Uint32Array(0);
  from = 0;
  to = 0;

  #parts: Uint32Array[] = Array.from({ length: 2 ** partBits }, () => new Uint32Array(firstSlots));
  #counts = new Uint32Array(2 ** partBits);
  #blocks: (Words | undefined)[] = [];
  /** By block: words in use from its start, and of those the words of records that are still referred to. */
  #used = new Uint32Array(maxBlocks);
  #live = new Uint32Array(maxBlocks);
  #free: number[] = [];
  #newest = -1;
  /** The id of the call under way, four bytes a word. */
  #id = new Uint32Array(maxIdBytes / 4);
  #idBytes = 0;
  #ahead = new Uint32Array(maxAhead);
  readonly #seed: number;

  constructor(seed: number = Math.floor(Math.random() * 2 ** 32)) {
    this.#seed = seed | 0;
  }

  /** Bytes that the table and its arena take. */
  get bytes(): number {
    let bytes = this.#used.byteLength + this.#live.byteLength;
    for (const part of this.#parts) bytes += part.byteLength;
    for (const block of this.#blocks) bytes += block?.byteLength ?? 0;
    return bytes;
  }

  /** Whether the user has stays; `found`, `from` and `to` then say where their words are, until the next change. */
  find(userId: string): boolean {
    return this.#at(this.#hashOf(userId));
  }

  /**
   * Brings what `find` will look at for these users into the processor's cache. Asked one after the other each user waits
   * for memory twice; here the waits of all overlap (measured at 5 million users: 450 ns a user without, 100 with).
   * Answers nothing of use.
   */
  prefetch(userIds: readonly string[], from: number, to: number): number {
    const references = this.#ahead;
    let seen = 0;
    for (let i = from; i < to; i++) references[i - from] = this.#hashOf(userIds[i]!);
    for (let i = 0; i < to - from; i++) {
      const slots = this.#parts[references[i]! >>> startBits]!;
      references[i] = slots[startOf(references[i]!, slots.length)]!;
    }
    for (let i = 0; i < to - from; i++) {
      const reference = references[i]!;
      if (reference !== 0) seen ^= this.#blocks[(reference - 1) >>> blockBits]![(reference - 1) & (blockWords - 1)]!;
    }
    return seen;
  }

  /** Replaces the user's stays; with none the user is forgotten. The id is of ASCII characters, at most 128. */
  set(userId: string, words: Words, count: number): void {
    this.#put(this.#hashOf(userId), words, count);
  }

  /** The same for an id given as bytes. */
  setBytes(id: Uint8Array, from: number, to: number, words: Words, count: number): void {
    this.#put(this.#hashOfBytes(id, from, to), words, count);
  }

  #hashOf(userId: string): number {
    const id = this.#id;
    const length = (this.#idBytes = userId.length);
    if (length > maxIdBytes) throw new RangeError(`an id has at most ${maxIdBytes} bytes; got ${length}`);
    let hash = this.#seed;
    let at = 0;
    let word = 0;
    for (let i = 0; i < length; i++) {
      word |= userId.charCodeAt(i) << ((i & 3) * 8);
      if ((i & 3) === 3) {
        hash = mixed(hash, word);
        id[at++] = word;
        word = 0;
      }
    }
    if ((length & 3) !== 0) {
      hash = mixed(hash, word);
      id[at] = word;
    }
    return finished(hash, length);
  }

  #hashOfBytes(bytes: Uint8Array, from: number, to: number): number {
    const id = this.#id;
    const length = (this.#idBytes = to - from);
    if (length > maxIdBytes) throw new RangeError(`an id has at most ${maxIdBytes} bytes; got ${length}`);
    let hash = this.#seed;
    let word = 0;
    let at = 0;
    for (let i = 0; i < length; i++) {
      word |= bytes[from + i]! << ((i & 3) * 8);
      if ((i & 3) === 3 || i === length - 1) {
        hash = mixed(hash, word);
        id[at++] = word;
        word = 0;
      }
    }
    return finished(hash, length);
  }

  /** Of a record in the arena: the same hash again. */
  #hashOfRecord(block: Words, at: number): number {
    const idBytes = block[at]! & 0xff;
    const end = at + 1 + ((idBytes + 3) >>> 2);
    let hash = this.#seed;
    for (let i = at + 1; i < end; i++) hash = mixed(hash, block[i]!);
    return finished(hash, idBytes);
  }

  /** Looks for the id of the call under way. */
  #at(hash: number): boolean {
    const slot = this.#slotOf(hash);
    if (slot < 0) return false;
    const reference = this.#parts[hash >>> startBits]![slot]! - 1;
    const block = this.#blocks[reference >>> blockBits]!;
    const at = reference & (blockWords - 1);
    const head = block[at]!;
    this.found = block;
    this.from = at + 1 + (((head & 0xff) + 3) >>> 2);
    this.to = this.from + (head >>> 8);
    return true;
  }

  /** The slot of the id of the call under way; where it is not there, the free one for it, as -1 less its number. */
  #slotOf(hash: number): number {
    const slots = this.#parts[hash >>> startBits]!;
    const id = this.#id;
    const idBytes = this.#idBytes;
    const idWords = (idBytes + 3) >>> 2;
    for (let slot = startOf(hash, slots.length); ; slot = slot + 1 === slots.length ? 0 : slot + 1) {
      const reference = slots[slot]!;
      if (reference === 0) return -1 - slot;
      const block = this.#blocks[(reference - 1) >>> blockBits]!;
      const at = (reference - 1) & (blockWords - 1);
      if ((block[at]! & 0xff) !== idBytes) continue;
      let i = 0;
      while (i < idWords && block[at + 1 + i] === id[i]) i++;
      if (i === idWords) return slot;
    }
  }

  #put(hash: number, words: Words, count: number): void {
    if (count > maxStayWords) throw new RangeError(`a user has at most ${maxStayWords} words of stays; got ${count}`);
    const part = hash >>> startBits;
    const slot = this.#slotOf(hash);
    const newest = this.#newest;
    if (slot < 0) {
      if (count === 0) return;
      this.#parts[part]![-1 - slot] = this.#append(words, count) + 1;
      this.users++;
      if (++this.#counts[part]! > this.#parts[part]!.length * fullest) this.#grow(part);
      this.#tidy(newest);
      return;
    }
    const reference = this.#parts[part]![slot]! - 1;
    const block = this.#blocks[reference >>> blockBits]!;
    const at = reference & (blockWords - 1);
    const head = block[at]!;
    if (head >>> 8 === count) {
      copy(words, 0, block, at + 1 + (((head & 0xff) + 3) >>> 2), count);
      return;
    }
    if (count > 0) this.#parts[part]![slot] = this.#append(words, count) + 1;
    else this.#remove(part, slot);
    this.#live[reference >>> blockBits]! -= sizeOf(head);
    this.#tidy(reference >>> blockBits);
    this.#tidy(newest);
  }

  /** A record of the id of the call under way. */
  #append(words: Words, count: number): number {
    const idWords = (this.#idBytes + 3) >>> 2;
    const reference = this.#allocate(1 + idWords + count);
    const block = this.#blocks[reference >>> blockBits]!;
    const at = reference & (blockWords - 1);
    block[at] = (count << 8) | this.#idBytes;
    copy(this.#id, 0, block, at + 1, idWords);
    copy(words, 0, block, at + 1 + idWords, count);
    return reference;
  }

  #allocate(size: number): number {
    let number = this.#newest;
    if (number < 0 || this.#used[number]! + size > blockWords) {
      number = this.#newBlock(Math.max(size, blockWords)); // a larger record has a block of its own
      if (size <= blockWords) this.#newest = number;
    }
    const at = this.#used[number]!;
    this.#used[number] = at + size;
    this.#live[number]! += size;
    return number * blockWords + at;
  }

  #newBlock(words: number): number {
    const number = this.#free.pop() ?? this.#blocks.length;
    if (number === maxBlocks) throw new RangeError(`the arena is full: ${maxBlocks} blocks of ${blockWords * 4} bytes`);
    if (this.#blocks[number]?.length !== words) this.#blocks[number] = new Uint32Array(words);
    return number;
  }

  /**
   * Empties a block of which more than a quarter is dead. Asked of each block in which a record died, and of the newest when
   * it may be full: until then it is left alone, whatever died in it.
   */
  #tidy(number: number): void {
    const newest = this.#newest;
    if (number < 0 || number === newest || this.#live[number]! * 4 >= this.#used[number]! * 3) return; // a free one uses 0
    this.#empty(number);
    this.#tidy(newest); // what was moved there may have filled it; what fills the next is all alive
  }

  /** Moves what lives in a block into the newest one, and frees it: at most 256 KiB, or one record that has its own. */
  #empty(number: number): void {
    const block = this.#blocks[number]!;
    for (let at = 0; at < this.#used[number]! && this.#live[number]! > 0; at += sizeOf(block[at]!)) {
      const hash = this.#hashOfRecord(block, at);
      const slots = this.#parts[hash >>> startBits]!;
      const slot = slotReferringTo(slots, number * blockWords + at + 1, startOf(hash, slots.length));
      if (slot < 0) continue;
      const size = sizeOf(block[at]!);
      const reference = this.#allocate(size);
      copy(block, at, this.#blocks[reference >>> blockBits]!, reference & (blockWords - 1), size);
      slots[slot] = reference + 1;
      this.#live[number]! -= size;
    }
    this.#used[number] = 0;
    if (block.length !== blockWords || this.#free.length >= 16) this.#blocks[number] = undefined; // some are kept for the next
    this.#free.push(number);
  }

  #grow(part: number): void {
    const old = this.#parts[part]!;
    const slots = new Uint32Array(Math.ceil(old.length * growth));
    for (const reference of old) {
      if (reference === 0) continue;
      const hash = this.#hashOfRecord(this.#blocks[(reference - 1) >>> blockBits]!, (reference - 1) & (blockWords - 1));
      let slot = startOf(hash, slots.length);
      while (slots[slot] !== 0) slot = slot + 1 === slots.length ? 0 : slot + 1;
      slots[slot] = reference;
    }
    this.#parts[part] = slots;
  }

  /** Closes the gap: each one behind it moves up that would be looked for from there or from before. */
  #remove(part: number, gapAt: number): void {
    const slots = this.#parts[part]!;
    const capacity = slots.length;
    let gap = gapAt;
    for (let slot = (gap + 1) % capacity; slots[slot] !== 0; slot = (slot + 1) % capacity) {
      const reference = slots[slot]! - 1;
      const start = startOf(this.#hashOfRecord(this.#blocks[reference >>> blockBits]!, reference & (blockWords - 1)), capacity);
      const isReachedFromGap = (slot - start + capacity) % capacity >= (slot - gap + capacity) % capacity;
      if (!isReachedFromGap) continue;
      slots[gap] = slots[slot]!;
      gap = slot;
    }
    slots[gap] = 0;
    this.#counts[part]!--;
    this.users--;
  }
}

/** Where the search for a hash begins: its low bits, scaled to the slots there are, which are no power of two. */
const startOf = (hash: number, slots: number): number => Math.floor(((hash & (2 ** startBits - 1)) * slots) / 2 ** startBits);

const sizeOf = (head: number): number => 1 + (((head & 0xff) + 3) >>> 2) + (head >>> 8);

function slotReferringTo(slots: Uint32Array, reference: number, start: number): number {
  for (let slot = start; slots[slot] !== 0; slot = slot + 1 === slots.length ? 0 : slot + 1) {
    if (slots[slot] === reference) return slot;
  }
  return -1;
}

/** Short copies by hand: a call of `set` with a view of a part costs more than the few words that a user has. */
function copy(from: Words, fromAt: number, to: Words, toAt: number, count: number): void {
  for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]!;
}
