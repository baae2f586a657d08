import assert from 'node:assert/strict';
import { test } from 'node:test';
import { created, deleted, grouped, told } from '../../test/model/story.ts';
import { bucketOf } from '../rollout/bucket.ts';
import type { Facts, Moment } from '../timeline/facts.ts';
import { commandFor, rowDecider } from './deciding.ts';

const launch = commandFor(
  'A',
  { operation: 'add', endsAt: 60_000, replaceInGroup: false, createdBy: 'ann', createdAt: 0 },
  false,
);
/** The definitions that these commands leave, and a user with these stays. */
const factsOf = (...commands: Parameters<typeof told>): Facts => ({ ...told(...commands), stays: [] });

/** What each row is decided to be, one after the other, is what it would be alone. */
function eachAsAlone(rows: readonly (readonly [Facts, Moment])[]) {
  const decide = rowDecider(launch, 1);
  return rows.map((row) => {
    const decided = decide(...row);
    assert.deepEqual(decided, rowDecider(launch, 1)(...row));
    return decided.kind === 'rejected' ? decided.reason : decided.kind;
  });
}

test('rows of a batch that stand alike share one decision', () => {
  const facts = factsOf(created(0, 'A'));
  const decide = rowDecider(launch, 1);
  const first = decide(facts, 10_000);
  assert.equal(first.kind, 'change');
  assert.equal(decide({ ...facts, userId: 'another' }, 10_000), first);
});

test('a decision is made anew for other stays, other definitions, and another moment', () => {
  const facts = factsOf(created(0, 'A'));
  const { definitions } = factsOf(created(0, 'A'), deleted(5, 'A'));
  const [stay] = told(created(0, 'A'), { kind: 'patch', at: 1, add: ['A'], remove: [], by: 'bob', cause: 'request' }).stays;
  const isIn = { ...facts, stays: [{ ...stay!, endsAt: 60_000 }] };
  assert.deepEqual(
    eachAsAlone([
      [facts, 10_000],
      [isIn, 10_000],
      [facts, 10_000],
      [{ ...facts, definitions }, 10_000],
      [facts, 10_000],
      [facts, 60_000],
      [facts, 59_999],
    ]),
    ['change', 'unchanged', 'change', 'segment_deleted', 'change', 'expired', 'change'],
  );
});

test('in an exclusive group each row is decided for its own user, who may be in another one by its percentage', () => {
  const facts = factsOf(grouped(0, 'A', 'G'), grouped(0, 'B', 'G', 5000), created(0, 'ALONE'));
  const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
  assert.deepEqual(
    eachAsAlone(users.map((userId) => [{ ...facts, userId }, 10_000])),
    users.map((userId) => (bucketOf('G', userId) < 5000 ? 'group_conflict' : 'change')),
  );
});

test('a segment of the same slug that came after the one of the import is another one, also in the same group', () => {
  const lives = [grouped(0, 'A', 'G'), deleted(5, 'A'), grouped(6, 'A', 'G')];
  const facts = factsOf(...lives);
  assert.deepEqual(
    eachAsAlone([
      [facts, 4_000],
      [facts, 5_500],
      [facts, 10_000],
    ]),
    ['change', 'segment_deleted', 'segment_deleted'],
  );
  assert.equal(rowDecider(launch, 2)(facts, 10_000).kind, 'change');
});
