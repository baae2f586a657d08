import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryEvent, Why } from '../api/answers.ts';
import { whySentence } from './why-sentence.ts';

const why = (more: Partial<Why>): Why => ({
  user_id: '1',
  segment: 'A',
  member: false,
  because: 'removed',
  since: '3 May',
  until: null,
  changed_by: 'analytics',
  rollout: null,
  as_of: '4 May',
  ...more,
});
const rollout = { percent: 60, bucket: 6513, ranges: [] };

for (const [more, sentence] of [
  [{ member: true, because: 'added', until: '5 May' }, 'In since 3 May because analytics added them; out on 5 May.'],
  [{ member: true, because: 'added' }, 'In since 3 May because analytics added them; with no end in sight.'],
  [
    { member: true, because: 'rollout', rollout },
    'In since 3 May because the percentage of 60 %, set by analytics, takes their bucket 6513; with no end in sight.',
  ],
  [{}, 'Out since 3 May because analytics removed them.'],
  [{ because: 'expired', until: '9 May' }, 'Out since 3 May because the end that analytics had set came; in on 9 May.'],
  [{ because: 'segment_deleted' }, 'Out since 3 May; analytics has deleted the segment.'],
  [{ because: 'excluded', since: null, rollout }, 'Out because analytics keeps them out of its 60 %.'],
  [
    { because: 'group_taken', rollout },
    'Out since 3 May because analytics added them to another segment of the group, which goes before its percentage.',
  ],
  [
    { because: 'not_covered', since: null, rollout },
    'Out because the percentage of 60 %, set by analytics, does not take their bucket 6513.',
  ],
  [{ because: 'not_covered' }, 'Out since 3 May because the percentage, set by analytics, no longer takes them.'],
  [{ because: 'never_added', since: null, changed_by: null }, 'Never in.'],
] as [Partial<Why>, string][]) {
  test(sentence, () => assert.equal(whySentence(why(more), String), sentence));
}

/** What holds now, and the entry or exit since which it is so. */
for (const [more, cause, actor, sentence] of [
  [
    { member: true, because: 'added' },
    'rollout',
    'launch',
    'In since 3 May, first by percentage, then because analytics added them; with no end in sight.',
  ],
  [
    { member: true, because: 'added', until: '9 May' },
    'import',
    'launch',
    'In since 3 May, first because launch added them, then because analytics added them; out on 9 May.',
  ],
  [
    { member: true, because: 'rollout', rollout },
    'request',
    'analytics',
    'In since 3 May, first because analytics added them, then because the percentage of 60 %, set by analytics, takes their bucket 6513; with no end in sight.',
  ],
  [
    { member: true, because: 'added' },
    'import',
    'analytics',
    'In since 3 May because analytics added them; with no end in sight.',
  ],
  [
    { member: true, because: 'rollout', rollout },
    'rollout',
    'launch',
    'In since 3 May because the percentage of 60 %, set by analytics, takes their bucket 6513; with no end in sight.',
  ],
  [{ because: 'excluded', rollout }, 'rollout', 'analytics', 'Out since 3 May; analytics keeps them out of its 60 %.'],
  [{ because: 'excluded', rollout }, 'request', 'analytics', 'Out since 3 May because analytics keeps them out of its 60 %.'],
  [
    { because: 'group_taken', rollout },
    'ttl',
    'analytics',
    'Out since 3 May; analytics added them to another segment of the group, which goes before its percentage.',
  ],
] as [Partial<Why>, HistoryEvent['cause'], string, string][]) {
  test(`${cause} by ${actor}: ${sentence}`, () => assert.equal(whySentence(why(more), String, { cause, actor }), sentence));
}
