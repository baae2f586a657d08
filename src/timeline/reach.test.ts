import assert from 'node:assert/strict';
import { test } from 'node:test';
import { second } from '../../test/model/core-run.ts';
import { created, deleted, grouped, rated, told } from '../../test/model/story.ts';
import { reachOf } from './reach.ts';

const everybody = 10_000;
const { definitions } = told(
  created(0, 'A', 100),
  created(1, 'B', 100),
  grouped(2, 'C', 'G', 100),
  grouped(3, 'D', 'G'),
  created(4, 'E'),
  rated(30, 'A', everybody),
  deleted(100, 'A'),
  created(200, 'A', 100),
);
const slugs = (ids: readonly { readonly slug: string }[]) => ids.map(({ slug }) => slug).join('');
const reach = (from: number, to: number, slug?: string) => {
  const { definitions: near, segmentIds, isEverybody } = reachOf(definitions, from * second, to * second, slug);
  return { takes: slugs(near.withRollout), segmentIds, isEverybody };
};

test('of percentages those count that change in the period, and all of groups; the stays of all segments do', () => {
  assert.deepEqual(reach(20, 40), { takes: 'AC', segmentIds: null, isEverybody: true });
  assert.deepEqual(reach(40, 60), { takes: 'C', segmentIds: null, isEverybody: false });
});

test('a change at the start of the period is in it, one at its end is not', () => {
  const isMoved = (from: number, to: number) => reach(from, to, 'A').isEverybody;
  assert.deepEqual([isMoved(30, 31), isMoved(29, 30), isMoved(29, 30.001), isMoved(30.001, 31)], [true, false, true, false]);
  assert.deepEqual([isMoved(100, 101), isMoved(100.001, 101)], [true, false], 'a deletion is the exit of all');
  assert.deepEqual([isMoved(199, 200), isMoved(199, 200.001)], [false, true], 'and a creation may be an entry');
});

test('of a slug its lives in the period count, and those in a group with them', () => {
  const ids = (from: number, to: number, slug: string) => reach(from, to, slug).segmentIds;
  assert.deepEqual(ids(20, 300, 'A'), [1, 6]);
  assert.deepEqual([ids(100, 101, 'A'), ids(100.001, 200, 'A'), ids(150, 200.001, 'A')], [[1], [], [6]]);
  assert.deepEqual([ids(20, 40, 'B'), ids(20, 40, 'C'), ids(20, 40, 'D')], [[2], [3, 4], [4]]);
  assert.deepEqual(reach(20, 40, 'E'), { takes: '', segmentIds: [5], isEverybody: false });
});

test('the definitions are those of the segments that count, of all where no slug is asked for; of the same version', () => {
  const of = (slug?: string) => slugs(reachOf(definitions, 20 * second, 40 * second, slug).definitions.segments);
  assert.deepEqual([of(), of('B'), of('C')], ['ABCDEA', 'B', 'CD']);
  const { version, revision } = reachOf(definitions, 0, second, 'B').definitions;
  assert.deepEqual([version, revision], [definitions.version, definitions.revision]);
});
