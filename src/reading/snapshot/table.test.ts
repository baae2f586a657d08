import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { finished, mixed } from '../../rollout/murmur3.ts';
import { maxAhead, MembershipTable } from './table.ts';

const seed = 7;
const blockWords = 65_536;
const blockBytes = blockWords * 4;
const none = new Uint32Array(0);

/** What the table says of the user, or `undefined` where it has none. */
const heldBy = (table: MembershipTable, userId: string): Uint32Array | undefined =>
  table.find(userId) ? table.found.slice(table.from, table.to) : undefined;

const put = (table: MembershipTable, userId: string, words: Uint32Array) => table.set(userId, words, words.length);
const wordsOf = (count: number, first: number) => Uint32Array.from({ length: count }, (_, i) => first + i);

/** A table and the plain map that it must agree with. */
function pairOfTables(table = new MembershipTable(seed)) {
  const model = new Map<string, Uint32Array>();
  return {
    table,
    model,
    set(userId: string, words: Uint32Array) {
      put(table, userId, words);
      if (words.length > 0) model.set(userId, words);
      else model.delete(userId);
    },
    agree(userIds: Iterable<string>) {
      assert.equal(table.users, model.size);
      for (const userId of userIds) {
        const [held, known] = [heldBy(table, userId), model.get(userId)];
        if (!isSame(held, known)) assert.fail(`${userId} has ${inShort(held)}, not ${inShort(known)}`);
      }
    },
  };
}

/** Quicker than `deepEqual`, and than its account of a difference. */
const isSame = (a: Uint32Array | undefined, b: Uint32Array | undefined) =>
  a && b ? a.length === b.length && a.every((word, i) => word === b[i]) : a === b;

const inShort = (words: Uint32Array | undefined) => words && `${words.length} words: ${words.subarray(0, 8).join(' ')}`;

/** Whole numbers below a limit, the same in each run: a linear congruential generator (Numerical Recipes). */
function randomNumbers(state: number) {
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** The bytes of a new table with the same users. */
function freshBytes(model: ReadonlyMap<string, Uint32Array>): number {
  const fresh = new MembershipTable(seed);
  for (const [userId, words] of model) put(fresh, userId, words);
  return fresh.bytes;
}

/** Ids of four bytes that the table keeps in one of its 1,024 parts, so that their searches cross. */
const neighbours = Array.from({ length: 60_000 }, (_, i) => i.toString(36).padStart(4, '0'))
  .filter((id) => finished(mixed(seed, Buffer.from(id).readInt32LE()), 4) >>> 22 === 0)
  .slice(0, 40);

const prefixes = Array.from({ length: 128 }, (_, i) => 'a'.repeat(i + 1));

test('a user is found with just the words that were put last, and another is not', () => {
  const table = new MembershipTable();
  assert.equal(table.find('u'), false);
  table.set('u', Uint32Array.of(1, 2, 3), 2);
  assert.deepEqual(heldBy(table, 'u'), Uint32Array.of(1, 2));
  assert.equal(table.users, 1);
  put(table, 'u', Uint32Array.of(4, 0xffffffff));
  assert.deepEqual(heldBy(table, 'u'), Uint32Array.of(4, 0xffffffff));
  put(table, 'u', Uint32Array.of(5));
  assert.deepEqual(heldBy(table, 'u'), Uint32Array.of(5));
  assert.equal(table.users, 1);
  for (const other of ['v', 'uu', 'U', '']) assert.equal(table.find(other), false, other);
  put(table, 'v', none);
  put(table, 'u', none);
  assert.equal(table.find('u'), false);
  assert.equal(table.users, 0);
});

test('the words given are copied: a list that is written over changes nobody', () => {
  const table = new MembershipTable(seed);
  const words = Uint32Array.of(1, 2);
  put(table, 'u', words);
  words.fill(9);
  assert.deepEqual(heldBy(table, 'u'), Uint32Array.of(1, 2));
});

test('an id of 129 bytes is refused, and one of 1 or 128 is not', () => {
  const { set, agree, table } = pairOfTables();
  set('a', wordsOf(1, 1));
  set('a'.repeat(128), wordsOf(2, 5));
  agree(prefixes);
  assert.throws(() => put(table, 'a'.repeat(129), wordsOf(1, 1)), /at most 128 bytes; got 129/);
  assert.throws(() => table.setBytes(Buffer.alloc(200, 'a'), 10, 139, wordsOf(1, 1), 1), /at most 128 bytes; got 129/);
  assert.throws(() => table.find('a'.repeat(129)), RangeError);
  agree(prefixes);
});

test('whatever is put, changed and taken out of one part, in whatever order, it holds what a map holds', () => {
  assert.equal(neighbours.length, 40);
  const ids = [...neighbours, ...prefixes.slice(0, 8), ...prefixes.slice(-2)];
  const change = fc.tuple(fc.constantFrom(...ids), fc.constantFrom(0, 0, 1, 1, 2, 6, 40), fc.nat());
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200, size: 'max' }), (changes) => {
      const { set, agree } = pairOfTables();
      for (const [userId, count, first] of changes) {
        set(userId, wordsOf(count, first));
        agree(ids);
      }
    }),
    { numRuns: 100 },
  );
});

test('parts grow, records move and blocks are used again, and 20,000 users keep what is theirs', () => {
  const { set, agree, model } = pairOfTables();
  const any = randomNumbers(1);
  const ids = Array.from({ length: 20_000 }, (_, i) => (i % 3 === 0 ? 'x'.repeat(i % 120) : '') + i);
  for (let round = 0; round < 10; round++) {
    const deletions = round % 3 === 2 ? 0.8 : 0.2;
    for (let i = 0; i < 30_000; i++) {
      const count = any(1000) < deletions * 1000 ? 0 : 1 + any(any(100) === 0 ? 300 : 8);
      set(ids[any(ids.length)]!, wordsOf(count, any(2 ** 31)));
    }
    agree(ids);
  }
  for (const userId of model.keys()) set(userId, none);
  agree(ids);
});

test('two seeds give the same answers', () => {
  const [one, other] = [new MembershipTable(1), new MembershipTable(0xffffffff)];
  const any = randomNumbers(2);
  const ids = Array.from({ length: 3_000 }, (_, i) => `user-${i}`);
  for (let i = 0; i < 20_000; i++) {
    const userId = ids[any(ids.length)]!;
    const words = wordsOf(any(5), i);
    put(one, userId, words);
    put(other, userId, words);
  }
  assert.equal(one.users, other.users);
  for (const userId of ids) assert.deepEqual(heldBy(one, userId), heldBy(other, userId));
});

test('an id given as bytes is the same as the id given as text', () => {
  const [asText, asBytes] = [new MembershipTable(seed), new MembershipTable(seed)];
  for (const [i, userId] of [...prefixes, ...neighbours].entries()) {
    put(asText, userId, wordsOf(1 + (i % 3), i));
    asBytes.setBytes(Buffer.from(`<<${userId}>`), 2, 2 + userId.length, wordsOf(9, i), 1 + (i % 3));
  }
  for (const userId of [...prefixes, ...neighbours]) assert.deepEqual(heldBy(asBytes, userId), heldBy(asText, userId));
  assert.equal(asBytes.users, asText.users);
  put(asBytes, 'aa', none);
  asText.setBytes(Buffer.from('aa'), 0, 2, none, 0);
  for (const table of [asBytes, asText]) {
    assert.equal(table.find('aa'), false);
    assert.equal(table.users, prefixes.length + neighbours.length - 1);
  }
});

test('looking ahead changes nothing, for users that are there, that are not, or that share a slot', () => {
  const { set, agree, table } = pairOfTables();
  assert.equal(table.prefetch(prefixes, 0, maxAhead), 0);
  for (const [i, userId] of neighbours.entries()) set(userId, wordsOf(1 + (i % 4), i));
  const { bytes } = table;
  const ids = [...neighbours, ...prefixes];
  for (let from = 0; from < ids.length; from += maxAhead) {
    assert.ok(table.find(neighbours[3]!));
    const { found, from: at, to } = table;
    table.prefetch(ids, from, Math.min(ids.length, from + maxAhead));
    assert.ok(table.found === found);
    assert.deepEqual([table.from, table.to], [at, to]);
  }
  agree(ids);
  assert.equal(table.bytes, bytes);
  for (const userId of neighbours) set(userId, wordsOf(5, 1));
  agree(ids);
});

test('a record larger than a block has one of its own, which goes with it', () => {
  const { set, agree, table } = pairOfTables();
  const ids = ['small', 'large', 'other', 'full', 'over'];
  set('small', wordsOf(3, 1));
  const { bytes } = table;
  set('large', wordsOf(200_000, 2));
  assert.equal(table.bytes, bytes + (200_000 + 1 + 2) * 4);
  set('full', wordsOf(blockWords - 2, 3)); // with its head and id just a block
  set('over', wordsOf(blockWords - 1, 4));
  set('other', wordsOf(3, 5));
  agree(ids);
  set('large', wordsOf(200_000, 6)); // in place
  set('over', wordsOf(70_000, 7));
  agree(ids);
  set('large', wordsOf(2, 8));
  set('over', none);
  set('full', wordsOf(1, 9));
  agree(ids);
  for (const userId of ids) set(userId, none);
  agree(ids);
  assert.ok(table.bytes <= bytes + 2 * blockBytes, `${table.bytes} bytes of nobody`);
});

test('a block that was emptied is not used for a record larger than it', () => {
  const { set, agree } = pairOfTables();
  const ids = ['first', 'next', 'large'];
  set('first', wordsOf(40_000, 1));
  set('next', wordsOf(40_000, 2));
  set('first', none); // its block is kept
  set('large', wordsOf(70_000, 3));
  agree(ids);
  set('large', none);
  set('first', wordsOf(40_000, 4));
  agree(ids);
});

test('records that just fill a block share it', () => {
  const { set, agree, table } = pairOfTables();
  set('a', wordsOf(blockWords / 2 - 2, 1)); // with its head and id half a block
  const { bytes } = table;
  set('b', wordsOf(blockWords / 2 - 2, 2));
  assert.equal(table.bytes, bytes);
  set('c', wordsOf(1, 3));
  assert.equal(table.bytes, bytes + blockBytes);
  agree(['a', 'b', 'c']);
});

test('a user with more words than the head can count is refused, and keeps what there was', () => {
  const { set, agree, table } = pairOfTables();
  set('u', wordsOf(3, 1));
  assert.throws(() => table.set('u', none, 2 ** 24), /at most 16777215 words of stays; got 16777216/);
  agree(['u']);
  table.set('u', none, 2 ** 24 - 1);
  assert.deepEqual([table.find('u'), table.to - table.from], [true, 2 ** 24 - 1]);
});

test('endless changes of changing sizes keep the memory near to what a fresh table takes', () => {
  const { set, agree, table, model } = pairOfTables();
  const any = randomNumbers(3);
  const ids = Array.from({ length: 2_000 }, (_, i) => `user-${i}`);
  let most = 0;
  for (let i = 0; i < 200_000; i++) {
    set(ids[any(ids.length)]!, wordsOf(1 + any(any(50) === 0 ? 400 : 12), i));
    if (i % 100 === 0) most = Math.max(most, table.bytes);
  }
  agree(ids);
  const fresh = freshBytes(model);
  const kept = 16 * blockBytes; // blocks that wait to be used again
  assert.ok(most <= 2 * fresh + kept, `${most} bytes at most, and fresh ${fresh}`);
});

test('users who come and go leave nothing behind, whatever their records take', () => {
  for (const words of [1, 300, 40_000, 70_000]) {
    const { set, agree, table, model } = pairOfTables();
    set('resident', wordsOf(2, 1));
    const visits = words === 1 ? 100_000 : words === 300 ? 5_000 : 200;
    const record = wordsOf(words, 5);
    for (let i = 0; i < visits; i++) {
      const userId = `visitor-${i}`;
      set(userId, record);
      set(userId, none);
    }
    agree(['resident', 'visitor-0']);
    const fresh = freshBytes(model);
    assert.ok(table.bytes <= fresh + 3 * blockBytes, `${words} words: ${table.bytes} bytes, and fresh ${fresh}`);
  }
});

test('a block that a growing record leaves behind full of the dead is emptied', () => {
  const { set, agree, table, model } = pairOfTables();
  const visit = wordsOf(30_000, 5);
  for (let i = 0; i < 200; i++) {
    set('visitor', visit);
    set('visitor', none);
    set('resident', wordsOf(40_000 + (i % 2), i));
  }
  agree(['resident', 'visitor']);
  const fresh = freshBytes(model);
  assert.ok(table.bytes <= fresh + 4 * blockBytes, `${table.bytes} bytes, and fresh ${fresh}`);
});

test('a block that a few users outlive is emptied when it is full, though they never change', () => {
  const { set, agree, table, model } = pairOfTables();
  const record = wordsOf(60, 5);
  for (let i = 0; i < 50_000; i++) {
    set(`visitor-${i}`, record);
    if (i % 100 !== 0) set(`visitor-${i}`, none);
  }
  agree(Array.from({ length: 50_000 }, (_, i) => `visitor-${i}`));
  assert.equal(model.size, 500);
  const fresh = freshBytes(model);
  assert.ok(table.bytes <= fresh + 4 * blockBytes, `${table.bytes} bytes, and fresh ${fresh}`);
});

test('when everybody has gone the blocks are too, but for some that are used again', () => {
  const { set, table, model } = pairOfTables();
  const ids = Array.from({ length: 30_000 }, (_, i) => `user-${i}`);
  const before = table.bytes;
  for (const [i, userId] of ids.entries()) set(userId, wordsOf(100, i));
  const full = table.bytes;
  assert.ok(full - before >= 30_000 * 100 * 4);
  for (const userId of ids) set(userId, none);
  assert.equal(table.users, 0);
  assert.ok(ids.every((userId) => !table.find(userId)));
  const slots = 1024 * 80 * 4; // the parts keep their size: 30 users each
  assert.ok(table.bytes <= before + 17 * blockBytes + slots, `${table.bytes} bytes of nobody`);
  for (const [i, userId] of ids.entries()) set(userId, wordsOf(100, i + 1));
  assert.ok(table.bytes <= full + blockBytes);
  for (const [userId, words] of model) if (!isSame(heldBy(table, userId), words)) assert.fail(userId);
});

/**
 * Each of 1,024 parts grows by half for itself when seven tenths of its slots are taken, so one of a million users has about
 * 977 of them: it has grown from 1,065 slots to 1,598, and at worst (1,119 users, 4.5 standard deviations above) to 2,397.
 */
test('no growth handles more than about a thousand users of a million', () => {
  const table = new MembershipTable(seed);
  const id = Buffer.alloc(4);
  const word = Uint32Array.of(1);
  const add = (n: number) => {
    id.writeUInt32LE(n);
    table.setBytes(id, 0, 4, word, 1);
  };
  let n = 0;
  while (n < 700_000) add(n++);
  // Most parts grow in here. What `bytes` gains by one more user is the growth of a part, and perhaps a block.
  let growths = 0;
  for (let bytes = table.bytes; n < 800_000;) {
    add(n++);
    const gained = table.bytes - bytes;
    bytes += gained;
    const slots = (gained >= blockBytes ? gained - blockBytes : gained) / 4;
    if (slots > 0) growths++;
    assert.ok(slots <= 2_397 - 1_598, `user ${n} made the table grow by ${slots} slots`);
  }
  assert.ok(growths > 500, `${growths} growths were seen`);
  while (n < 1_000_000) add(n++);
  assert.equal(table.users, 1_000_000);
  const records = 1_000_000 * 3 * 4;
  const slots = 1024 * 2_397 * 4;
  const marks = 2 * 65_535 * 4;
  assert.ok(table.bytes <= records + blockBytes + slots + marks, `${table.bytes} bytes`);
});
