import assert from 'node:assert/strict';
import { test } from 'node:test';
import { created, deleted, rated, told } from '../../test/model/story.ts';
import { indexDefinitions, lifeAt, livesAt, livingAt, livingOf, rolloutAt } from './definitions.ts';

const { definitions } = told(
  created(0, 'A'),
  deleted(10, 'A'),
  created(20, 'A', 100),
  rated(30, 'A', 0),
  deleted(40, 'A'),
  created(50, 'B'),
);
const idOf = (slug: string, moment: number) => lifeAt(definitions, slug, moment)?.id;

test('a segment lives from its creation until its deletion', () => {
  const [first] = definitions.bySlug.get('A')!;
  assert.deepEqual(
    [-1, 0, 9_999, 10_000].map((moment) => livesAt(first!, moment)),
    [false, true, true, false],
  );
});

test('of a slug the newest life that had begun by the moment is found, over or not', () => {
  assert.deepEqual(
    [-1, 0, 10_000, 19_999, 20_000, 45_000].map((moment) => idOf('A', moment)),
    [undefined, 1, 1, 1, 2, 2],
  );
  assert.equal(idOf('B', 45_000), undefined);
  assert.equal(idOf('C', 45_000), undefined);
});

test('a slug is borne by a living segment only', () => {
  const living = [0, 9_999, 10_000, 20_000, 40_000].map((moment) => livingAt(definitions, 'A', moment)?.id);
  assert.deepEqual(living, [1, 1, undefined, 2, undefined]);
});

test('by now a slug is borne by its newest life, unless that is over', () => {
  const again = told(created(0, 'A'), deleted(10, 'A'), created(20, 'A'), created(30, 'B'), deleted(40, 'B')).definitions;
  assert.deepEqual(
    ['A', 'B', 'C'].map((slug) => livingOf(again, slug)?.id),
    [2, undefined, undefined],
  );
});

test('the rollout in force is the one whose time it is, also at 0 percent', () => {
  const segment = definitions.byId.get(2)!;
  const ranges = [19_999, 20_000, 29_999, 30_000, 39_999].map((moment) => rolloutAt(segment, moment)?.ranges);
  assert.deepEqual(ranges, [undefined, [[0, 100]], [[0, 100]], [], []]);
});

test('segments come in any order and are kept by age; those that never take a percentage stand aside', () => {
  const indexed = indexDefinitions(7, 9, definitions.segments.toReversed());
  assert.deepEqual([indexed.version, indexed.revision], [7, 9]);
  assert.deepEqual(
    indexed.segments.map(({ id }) => id),
    [1, 2, 3],
  );
  assert.deepEqual(
    indexed.bySlug.get('A')!.map(({ id }) => id),
    [1, 2],
  );
  assert.deepEqual(
    indexed.withRollout.map(({ id }) => id),
    [2],
  );
});

test('of segments made in one millisecond the one with the lower id is older', () => {
  const [first] = definitions.segments;
  const { segments } = indexDefinitions(7, 9, [
    { ...first!, id: 6 },
    { ...first!, id: 5 },
  ]);
  assert.deepEqual(
    segments.map(({ id }) => id),
    [5, 6],
  );
});
