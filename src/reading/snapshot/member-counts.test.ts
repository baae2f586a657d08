import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inForce } from '../../timeline/pair.ts';
import type { Stay } from '../../timeline/facts.ts';
import { MemberCounts } from './member-counts.ts';
import { type PresentStay, WordList, writeWords } from './words.ts';

const second = 1_000;
const base = 1_700_000_000_000;

/** Of a pair: perhaps one that holds, and perhaps one to come. */
const anyPair = (segmentId: number) =>
  fc
    .record({
      holds: fc.boolean(),
      excluded: fc.boolean(),
      lasts: fc.option(fc.integer({ min: 1, max: 60 }), { nil: Infinity }),
      planAfter: fc.option(fc.integer({ min: 1, max: 60 }), { nil: Infinity }),
      planLasts: fc.option(fc.integer({ min: 1, max: 60 }), { nil: Infinity }),
    })
    .map(({ holds, excluded, lasts, planAfter, planLasts }) => (now: number): PresentStay[] => {
      const endsAt = excluded ? Infinity : now + lasts * second;
      const present = holds ? [{ segmentId, startsAt: now, endsAt, excluded }] : [];
      const start = now + planAfter * second;
      const plan =
        planAfter < Infinity ? [{ segmentId, startsAt: start, endsAt: start + planLasts * second, excluded: false }] : [];
      return [...present, ...plan];
    });

const anyStays = fc
  .tuple(anyPair(1), anyPair(2), anyPair(70))
  .map((pairs) => (now: number) => pairs.flatMap((pair) => pair(now)));

test('whatever is said of users one after the other, the counts are those of who is in by hand at any later second', () => {
  const changes = fc.array(fc.record({ user: fc.nat(3), stays: anyStays, after: fc.integer({ min: 0, max: 20 }) }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(changes, (steps) => {
      const counts = new MemberCounts();
      const held = new Map<number, { words: Uint32Array; stays: PresentStay[] }>();
      let now = base;
      for (const { user, stays, after } of steps) {
        now += after * second;
        const before = held.get(user);
        if (before) counts.change(before.words, 0, before.words.length, -1, now);
        const said = stays(now);
        const list = new WordList();
        writeWords(list, said, said.length, now);
        const words = list.words.slice(0, list.length);
        counts.change(words, 0, words.length, 1, now);
        held.set(user, { words, stays: said });
        for (const id of [1, 2, 70]) assert.equal(counts.of(id, now), inByHand(held, id, now), `segment ${id} at ${now - base}`);
      }
      for (let later = now; later < now + 150 * second; later += 13 * second)
        for (const id of [1, 2, 70])
          assert.equal(counts.of(id, later), inByHand(held, id, later), `segment ${id} at ${later - base}`);
    }),
    { numRuns: 500 },
  );
});

function inByHand(held: ReadonlyMap<number, { stays: PresentStay[] }>, segmentId: number, now: number): number {
  let members = 0;
  for (const { stays } of held.values()) {
    const own = stays.filter((stay) => stay.segmentId === segmentId) as Stay[];
    if (inForce(own, now)?.excluded === false) members++;
  }
  return members;
}

test('a million users with one end are one entry, and leave together', () => {
  const counts = new MemberCounts();
  const list = new WordList();
  writeWords(list, [{ segmentId: 3, startsAt: base, endsAt: base + 5 * second, excluded: false }], 1, base);
  for (let i = 0; i < 1_000_000; i++) counts.change(list.words, 0, list.length, 1, base);
  assert.equal(counts.of(3, base + 4_999), 1_000_000);
  assert.equal(counts.of(3, base + 5_000), 0);
});
