import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyFacts, horizon, present } from '../../../test/model/any-facts.ts';
import { bucketOf } from '../../rollout/bucket.ts';
import { firstBuckets } from '../../rollout/ranges.ts';
import { indexDefinitions } from '../../timeline/definitions.ts';
import { type Facts, lastMoment, type Moment, type Rollout, type Segment, type Stay } from '../../timeline/facts.ts';
import { segmentsAt } from '../../timeline/segments-at.ts';
import { type View, viewAt } from '../../timeline/view.ts';
import { evaluateAll } from '../../openfeature/evaluation.ts';
import { presentFacts } from '../present-facts.ts';
import { type PresentStay, rewriteWords, slugsOf, staysOf, WordList, writeWords } from './words.ts';

const userId = 'user-1';
const list = new WordList();

/** What the present is read from: the words behind others, as they lie in a block. */
function wordsAt(stays: readonly PresentStay[], moment: Moment): Uint32Array {
  const sorted = stays.toSorted((a, b) => a.segmentId - b.segmentId || a.startsAt - b.startsAt);
  writeWords(list, sorted, sorted.length, moment);
  return list.words.slice(0, list.length);
}

function read(words: Uint32Array, view: View, moment: Moment, of = userId): string[] {
  const block = new Uint32Array(words.length + 6).fill(0xffffffff);
  block.set(words, 3);
  return slugsOf(block, 3, 3 + words.length, view, of, moment);
}

const stay = (segmentId: number, startsAt: Moment, endsAt = Infinity, excluded = false): PresentStay => ({
  segmentId,
  startsAt,
  endsAt,
  excluded,
});

/** A view of segments that live, named by their ids; those with a rollout take everybody. */
function viewOf(ids: readonly number[], withRollout: readonly number[] = []): View {
  const slugs: (string | undefined)[] = [];
  for (const id of ids) slugs[id] = `s${id}`;
  const rollouts = withRollout.map((id) => ({ id, slug: `s${id}`, salt: 'salt', group: null, ranges: firstBuckets(10_000) }));
  return { definitions: indexDefinitions(1, 0, []), from: 0, until: Infinity, slugs, groups: [], rollouts };
}

/** Every moment at which something begins, ends or changes, the one before and the one after. */
function momentsAround({ definitions, stays }: Facts): Moment[] {
  const changes = [
    ...definitions.segments.flatMap(({ createdAt, deletedAt, rollouts }) => [
      createdAt,
      deletedAt,
      ...rollouts.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]),
    ]),
    ...stays.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]),
  ];
  const near = changes.flatMap((moment) => (moment < Infinity ? [moment - 1, moment, moment + 1] : []));
  return [...new Set(near)].sort((a, b) => a - b);
}

function assertAgrees(facts: Facts, writtenAt: Moment) {
  const words = wordsAt(facts.stays, writtenAt);
  for (const moment of new Set([writtenAt, ...momentsAround(facts)])) {
    if (moment < writtenAt) continue;
    const slugs = read(words, viewAt(facts.definitions, moment), moment, facts.userId);
    assert.deepEqual(slugs, segmentsAt(facts, moment), `written at ${writtenAt}, read at ${moment}`);
    const held = presentFacts(facts.userId, 0, facts.definitions, staysOf(words, 0, words.length));
    assert.deepEqual(evaluateAll(held, moment), evaluateAll(facts, moment), `written at ${writtenAt}, evaluated at ${moment}`);
  }
}

/**
 * Up to forty segments with words of any length, from a moment on: where the lower half of the milliseconds overflows, now,
 * or at the end of time. Longer than `anyFacts`, and with stays that overlap in every way.
 */
const manySegments: fc.Arbitrary<Facts> = fc
  .constantFrom(0, 2 ** 32 - 40, 3 * 2 ** 32 - 60, 1.75e12, lastMoment - 200)
  .chain((base) => {
    const some = (max: number) => fc.integer({ min: 1, max }).map((offset) => base + offset);
    const stays = fc.uniqueArray(
      fc.record({
        startsAt: some(100),
        lasts: fc.option(fc.integer({ min: 1, max: 60 }), { nil: Infinity }),
        excluded: fc.boolean(),
      }),
      { selector: ({ startsAt }) => startsAt, maxLength: 4 },
    );
    const segment = fc.record({
      gap: fc.integer({ min: 1, max: 3 }),
      salt: fc.constantFrom('x', 'y', 'z'),
      exclusiveGroup: fc.constantFrom(null, null, 'x', 'y'),
      createdAt: some(40),
      lives: fc.option(fc.integer({ min: 1, max: 150 }), { nil: Infinity, freq: 4 }),
      /** Buckets more than those below the user's, or none; from the creation on, and later. */
      more: fc.tuple(fc.constantFrom(undefined, undefined, 0, 1), fc.constantFrom(undefined, 0, 1)),
      later: fc.integer({ min: 1, max: 60 }),
      stays,
    });
    return fc.array(segment, { maxLength: 40, size: 'max' }).map((plans): Facts => {
      let id = 0;
      const made = plans.map((plan): { segment: Segment; stays: Stay[] } => {
        const { gap, salt, exclusiveGroup, createdAt, lives, more, later } = plan;
        id += gap;
        const ranges = more.map((buckets) => firstBuckets(buckets === undefined ? 0 : bucketOf(salt, userId) + buckets));
        const change = createdAt + later;
        const rollouts: Rollout[] = [
          { startsAt: createdAt, endsAt: change, ranges: ranges[0]!, changedBy: 'ann' },
          { startsAt: change, endsAt: Infinity, ranges: ranges[1]!, changedBy: 'ann' },
        ];
        const life = { createdAt, createdBy: 'ann', deletedAt: createdAt + lives, deletedBy: lives === Infinity ? null : 'ann' };
        return {
          segment: { id, slug: `${'bBa-_.'[id % 6]}${id}`, salt, exclusiveGroup, ...life, rollouts },
          stays: plan.stays.map(({ startsAt, lasts, excluded }): Stay => ({
            ...stay(id, startsAt, startsAt + lasts, excluded),
            since: startsAt,
            begunBy: 'bob',
            begunCause: 'request',
            endedBy: null,
            endedCause: null,
          })),
        };
      });
      const definitions = indexDefinitions(
        1,
        0,
        made.map(({ segment }) => segment),
      );
      return { userId, revision: 0, definitions, stays: made.flatMap((one) => one.stays) };
    });
  });

test('words written at any moment say at each later one what the facts say, at each boundary and beside it', () => {
  fc.assert(fc.property(anyFacts, fc.integer({ min: 0, max: horizon + present }), assertAgrees), { numRuns: 1_000 });
});

test('so they do of many segments and stays, where the halves of a moment overflow, and at the end of time', () => {
  fc.assert(
    fc.property(manySegments, fc.nat(), (facts, any) => {
      const moments = momentsAround(facts);
      assertAgrees(facts, moments[any % moments.length] ?? 0);
    }),
    { numRuns: 150 },
  );
});

test('words of which some segments are told anew say what all of them together say, and nothing else of the block', () => {
  const property = fc.property(fc.oneof(anyFacts, manySegments), anyFacts, fc.nat(), (facts, before, chosen) => {
    const known = new Set(facts.definitions.segments.filter((_, i) => (chosen >> (i % 30)) & 1).map(({ id }) => id));
    const others = facts.stays.filter(({ segmentId }) => !known.has(segmentId));
    const stale = before.stays.filter(({ segmentId }) => known.has(segmentId)); // what was said of these before
    const sorted = (stays: readonly PresentStay[]) =>
      stays.toSorted((a, b) => a.segmentId - b.segmentId || a.startsAt - b.startsAt);
    const held = wordsAt([...others, ...stale], 0);
    const words = new Uint32Array(held.length + 6).fill(0xffffffff);
    words.set(held, 3);
    const told = sorted(facts.stays.filter(({ segmentId }) => known.has(segmentId)));
    rewriteWords(list, { words, from: 3, to: 3 + held.length }, known, told, 0);
    assert.deepEqual(list.words.slice(0, list.length), wordsAt(facts.stays, 0));
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('a stay for good takes one word; one that ends or is planned five', () => {
  assert.equal(wordsAt([stay(1, 10)], 10).length, 1);
  assert.equal(wordsAt([stay(1, 10, Infinity, true)], 20).length, 1);
  assert.equal(wordsAt([stay(1, 11)], 10).length, 5);
  assert.equal(wordsAt([stay(1, 10, 30)], 20).length, 5);
  assert.equal(wordsAt([stay(1, 10), stay(1, 30, 40)], 20).length, 10);
  assert.equal(wordsAt([stay(1, 10), stay(2, 30, 40), stay(3, 5)], 20).length, 7);
});

test('what is over, or was cut by a later stay, takes none', () => {
  assert.equal(wordsAt([], 20).length, 0);
  assert.equal(wordsAt([stay(1, 10, 20)], 20).length, 0);
  assert.equal(wordsAt([stay(1, 10, 21)], 20).length, 5);
  assert.equal(wordsAt([stay(1, 10), stay(1, 20)], 20).length, 1);
  assert.equal(wordsAt([stay(1, 10), stay(1, 20)], 19).length, 10);
  assert.equal(wordsAt([stay(1, 1, 2), stay(1, 5), stay(1, 10, 20)], 20).length, 0);
});

test('a list is written over, not written on, and no more stays are taken than are counted', () => {
  wordsAt(
    Array.from({ length: 50 }, (_, i) => stay(i + 1, 10, 30)),
    20,
  );
  assert.equal(list.length, 250);
  for (const uncounted of [stay(8, 10), stay(7, 15, Infinity, true), stay(7, 25)]) {
    writeWords(list, [stay(7, 10), uncounted], 1, 20);
    assert.deepEqual([...list.words.subarray(0, list.length)], [7 * 4]);
  }
});

test('a stay begins and ends to the millisecond up to the end of the year 9999', () => {
  for (const end of [1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 5 * 2 ** 32, Date.UTC(2026, 6), lastMoment]) {
    for (const start of [0, end - 1]) {
      const words = wordsAt([stay(1, start, end)], 0);
      const at = (moment: Moment) => read(words, viewOf([1]), moment).length;
      assert.deepEqual([start - 1, start, end - 1, end, end + 1].map(at), [0, 1, 1, 0, 0], `${start} to ${end}`);
    }
    const planned = wordsAt([stay(1, end)], 0);
    assert.deepEqual(
      [end - 1, end, lastMoment].map((moment) => read(planned, viewOf([1]), moment)),
      [[], ['s1'], ['s1']],
    );
  }
});

test('segments are told apart up to the greatest id, by hand and kept out of a rollout', () => {
  const ids = [1, 2 ** 29 - 1, 2 ** 29, 2 ** 30 - 2, 2 ** 30 - 1];
  for (const id of ids) {
    const bare = viewOf(ids);
    assert.deepEqual(read(wordsAt([stay(id, 10)], 20), bare, 20), [`s${id}`]);
    assert.deepEqual(read(wordsAt([stay(id, 10, 30)], 20), bare, 29), [`s${id}`]);
    assert.deepEqual(read(wordsAt([stay(id, 10, 30)], 20), bare, 30), []);
    const rolled = viewOf(ids, ids);
    const others = ids.filter((other) => other !== id).map((other) => `s${other}`);
    assert.deepEqual(read(wordsAt([stay(id, 10, Infinity, true)], 20), rolled, 20), others.sort());
    assert.deepEqual(read(wordsAt([stay(id, 10, 30, true)], 20), rolled, 30), [...others, `s${id}`].sort());
  }
});

test('slugs are in byte order and none twice, for one as for hundreds', () => {
  for (const count of [1, 2, 15, 16, 17, 64, 65, 129, 300]) {
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    const all = ids.map((id) => `s${id}`).sort();
    const stays = ids.map((id) => stay(id, 10, id % 2 ? Infinity : 30));
    assert.deepEqual(read(wordsAt(stays, 20), viewOf(ids), 20), all, 'by hand');
    assert.deepEqual(read(wordsAt([], 20), viewOf(ids, ids), 20), all, 'by rollout');
    assert.deepEqual(read(wordsAt(stays, 20), viewOf(ids, ids), 20), all, 'by both');
    const kept = ids.map((id) => stay(id, 10, Infinity, true));
    assert.deepEqual(read(wordsAt(kept, 20), viewOf(ids, ids), 20), [], 'kept out');
    assert.deepEqual(read(wordsAt([], 20), viewOf(ids, ids), 20), all, 'of another user afterwards');
  }
});

test('a segment that does not live has nobody, whether they are in by hand or kept out', () => {
  const stays = [stay(1, 10), stay(2, 10), stay(900, 10), stay(901, 10, 30)];
  assert.deepEqual(read(wordsAt(stays, 20), viewOf([2]), 20), ['s2']);
});

test('the words of a neighbour in the block are not read', () => {
  const words = Uint32Array.of(...wordsAt([stay(1, 10, 30)], 20), ...wordsAt([stay(1, 20, Infinity, true), stay(2, 10)], 20));
  assert.deepEqual(slugsOf(words, 0, 5, viewOf([1, 2]), userId, 20), ['s1']);
  assert.deepEqual(slugsOf(words, 5, 7, viewOf([1, 2]), userId, 20), ['s2']);
  assert.deepEqual(slugsOf(words, 5, 5, viewOf([1, 2]), userId, 20), []);
});
