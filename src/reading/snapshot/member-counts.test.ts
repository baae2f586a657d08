import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inForce } from '../../timeline/pair.ts';
import type { Stay } from '../../timeline/facts.ts';
import { MemberCounts } from './member-counts.ts';
import { type PresentStay, WordList, writeWords } from './words.ts';

const second = 1_000;
const hour = 3_600 * second;
const base = 1_700_000_000_000;

/** Often within the second, sometimes minutes or hours. */
const anyMs = fc.oneof(
  fc.integer({ min: 1, max: 1_500 }),
  fc.integer({ min: 1, max: 60 * second }),
  fc.integer({ min: 1, max: 3 * hour }),
);

/** Of a pair: perhaps one that holds, and perhaps one to come. */
const anyPair = (segmentId: number) =>
  fc
    .record({
      holds: fc.boolean(),
      excluded: fc.boolean(),
      lasts: fc.option(anyMs, { nil: Infinity }),
      planAfter: fc.option(anyMs, { nil: Infinity }),
      planLasts: fc.option(anyMs, { nil: Infinity }),
    })
    .map(({ holds, excluded, lasts, planAfter, planLasts }) => (now: number): PresentStay[] => {
      const endsAt = excluded ? Infinity : now + lasts;
      const present = holds ? [{ segmentId, startsAt: now, endsAt, excluded }] : [];
      const start = now + planAfter;
      const plan = planAfter < Infinity ? [{ segmentId, startsAt: start, endsAt: start + planLasts, excluded: false }] : [];
      return [...present, ...plan];
    });

const anyStays = fc
  .tuple(anyPair(1), anyPair(2), anyPair(70))
  .map((pairs) => (now: number) => pairs.flatMap((pair) => pair(now)));

test('whatever is said of users one after the other, the counts are those of who is in by hand at any later moment', () => {
  const changes = fc.array(
    fc.record({ user: fc.nat(3), stays: anyStays, after: fc.oneof(fc.constant(0), anyMs), ahead: fc.nat(300) }),
    {
      maxLength: 30,
    },
  );
  fc.assert(
    fc.property(changes, (steps) => {
      const counts = new MemberCounts();
      const held = new Map<number, { words: Uint32Array; stays: PresentStay[] }>();
      let now = base;
      let asked = base;
      for (const { user, stays, after, ahead } of steps) {
        now += after;
        const before = held.get(user);
        if (before) counts.change(before.words, 0, before.words.length, -1, now);
        const said = stays(now);
        const list = new WordList();
        writeWords(list, said, said.length, now);
        const words = list.words.slice(0, list.length);
        counts.change(words, 0, words.length, 1, now);
        held.set(user, { words, stays: said });
        // Who asks may be ahead of what was read last; what has come by then stays so.
        for (const moment of [now, now + ahead]) {
          asked = Math.max(asked, moment);
          for (const id of [1, 2, 70])
            assert.equal(counts.of(id, moment), inByHand(held, id, asked), `segment ${id} at ${asked - base}`);
        }
      }
      for (let later = asked; later < now + 8 * hour; later += later < now + 2 * second ? 87 : Math.ceil((later - now) / 3))
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
