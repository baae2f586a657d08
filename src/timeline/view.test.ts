import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyFacts, horizon } from '../../test/model/any-facts.ts';
import { created, deleted, rated, told } from '../../test/model/story.ts';
import { indexDefinitions, livesAt, rolloutAt } from './definitions.ts';
import type { Definitions, Moment } from './facts.ts';
import { viewAt, viewFor } from './view.ts';

const { definitions } = told(
  created(10, 'A', 100),
  created(20, 'B'),
  rated(30, 'A', 500),
  deleted(40, 'B'),
  rated(50, 'A', 0),
  created(60, 'B', 700),
);

/** What a view is about, told the plain way. */
function livingOf({ segments }: Definitions, moment: Moment) {
  const living = segments.filter((segment) => livesAt(segment, moment));
  const rollouts = living.flatMap((segment) => {
    const ranges = rolloutAt(segment, moment)?.ranges ?? [];
    return ranges.length > 0
      ? [{ id: segment.id, slug: segment.slug, salt: segment.salt, group: segment.exclusiveGroup, ranges }]
      : [];
  });
  const groups = living.flatMap(({ id, exclusiveGroup }) => (exclusiveGroup === null ? [] : [[id, exclusiveGroup]]));
  return {
    slugs: living.map(({ id, slug }) => [id, slug]),
    groups: byId(groups),
    rollouts: rollouts.sort((a, b) => a.id - b.id),
  };
}

const toldBy = ({ slugs, groups, rollouts }: ReturnType<typeof viewAt>) => ({
  slugs: [...slugs.entries()].filter(([, slug]) => slug !== undefined),
  groups: [...groups.entries()].filter(([, group]) => group !== undefined),
  rollouts: rollouts.toSorted((a, b) => a.id - b.id),
});

const byId = <T>(list: T[]) => list.toSorted((a, b) => (a as [number])[0] - (b as [number])[0]);

test('a view has the slugs that live and the rollouts in force, without those at 0 percent', () => {
  const { slugs, rollouts } = viewAt(definitions, 30_000);
  assert.deepEqual([slugs[0], slugs[1], slugs[2], slugs[3]], [undefined, 'A', 'B', undefined]);
  assert.deepEqual(rollouts, [{ id: 1, slug: 'A', salt: 'A', group: null, ranges: [[0, 500]] }]);
  assert.deepEqual(viewAt(definitions, 50_000).rollouts, []);
});

test('a view holds from one creation, deletion or change of a percentage until the next, and no longer', () => {
  const bounds = [0, 10, 20, 30, 40, 50, 60, Infinity];
  for (const [i, from] of bounds.slice(0, -1).entries()) {
    const [first, after] = [from * 1000, bounds[i + 1]! * 1000];
    const view = viewAt(definitions, first);
    assert.deepEqual([view.from, view.until], [first, after]);
    for (const moment of [first, first + 1, Math.min(after, 1e15) - 1]) {
      assert.equal(viewFor(view, definitions, moment), view, `at ${moment}`);
    }
    for (const moment of [first - 1, after]) {
      if (moment >= 0 && moment < Infinity) assert.notEqual(viewFor(view, definitions, moment), view, `at ${moment}`);
    }
  }
});

test('a view ends where a segment without any percentage is created', () => {
  const segment = { ...definitions.segments[0]!, rollouts: [] };
  const view = viewAt(indexDefinitions(1, 0, [segment]), 0);
  assert.equal(view.until, segment.createdAt);
});

test('without a view, or with other definitions, another is made', () => {
  const view = viewFor(undefined, definitions, 30_000);
  assert.equal(view.definitions, definitions);
  const newer = indexDefinitions(definitions.version + 1, 0, definitions.segments);
  const another = viewFor(view, newer, 30_000);
  assert.notEqual(another, view);
  assert.equal(another.definitions, newer);
});

test('before the first segment, and without any, there is nothing to see', () => {
  for (const [of, until] of [
    [definitions, 10_000],
    [indexDefinitions(1, 0, []), Infinity],
  ] as const) {
    const view = viewAt(of, 5_000);
    assert.deepEqual(toldBy(view), { slugs: [], groups: [], rollouts: [] });
    assert.deepEqual([view.from, view.until], [0, until]);
  }
});

test('rollouts with one salt stand together, so that a bucket is worked out once', () => {
  const [segment] = told(created(0, 'A', 100)).definitions.segments;
  const salts = ['b', 'a', 'c', 'b', 'a', 'b'];
  const segments = salts.map((salt, i) => ({ ...segment!, id: i + 1, slug: `s${i}`, salt }));
  const { rollouts } = viewAt(indexDefinitions(1, 0, segments), 1_000);
  assert.deepEqual(
    rollouts.map(({ salt }) => salt),
    ['b', 'b', 'b', 'a', 'a', 'c'],
  );
});

test('more segments than a call takes arguments are no trouble', () => {
  const [segment] = told(created(0, 'A')).definitions.segments;
  const count = 200_000;
  const many = indexDefinitions(
    1,
    0,
    Array.from({ length: count }, (_, i) => ({ ...segment!, id: i + 1, slug: `s${i}` })),
  );
  const { slugs, groups } = viewAt(many, 1_000);
  assert.deepEqual([slugs.length, groups.length, slugs[count]], [count + 1, count + 1, `s${count - 1}`]);
  assert.equal(viewAt(indexDefinitions(1, 0, []), 1_000).slugs.length, 0);
});

test('whichever view is at hand, the one answered tells what lives at the moment, and all of its time the same', () => {
  const moments = fc.array(fc.integer({ min: 0, max: horizon + 1 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(anyFacts, moments, (facts, asked) => {
      let view;
      for (const moment of asked) {
        view = viewFor(view, facts.definitions, moment);
        assert.ok(view.from <= moment && moment < view.until);
        for (let at = view.from; at < Math.min(view.until, horizon + 2); at++) {
          const plain = livingOf(facts.definitions, at);
          assert.deepEqual(toldBy(view), { ...plain, slugs: byId(plain.slugs) }, `made for ${moment}, at ${at}`);
        }
      }
    }),
    { numRuns: 200 },
  );
});
