import assert from 'node:assert/strict';
import { test } from 'node:test';
import { created, grouped, told } from '../../test/model/story.ts';
import { narrowedTo } from './narrowed.ts';

test('a segment has its group beside it, and one without a group nobody', () => {
  const { definitions } = told(
    grouped(0, 'A', 'G'),
    created(1, 'B'),
    grouped(2, 'C', 'H'),
    grouped(3, 'D', 'G'),
    created(4, 'E'),
  );
  const slugs = (id: number) => narrowedTo(definitions, id).segments.map(({ slug }) => slug);
  assert.deepEqual([1, 2, 3, 4].map(slugs), [['A', 'D'], ['B'], ['C'], ['A', 'D']]);
  const { version, revision } = narrowedTo(definitions, 2);
  assert.deepEqual([version, revision], [definitions.version, definitions.revision]);
});
