import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryEvent, Stay, Why } from '../api/answers.ts';
import { type Bar, inAt, momentBeside, nextByItself, timelineOf, type Told } from './timeline.ts';

const day = (n: number) => `2026-05-${String(n).padStart(2, '0')}T00:00:00.000Z`;
const at = (n: number) => Date.parse(day(n));
const event = (
  n: number,
  operation: 'add' | 'remove',
  cause: HistoryEvent['cause'] = 'request',
  segment = 'A',
): HistoryEvent => ({
  at: day(n),
  segment,
  operation,
  cause,
  actor: 'analytics',
});
const stay = (from: number, to: number | null, more: Partial<Stay> = {}): Stay => ({
  segment: 'A',
  effect: 'include',
  starts_at: day(from),
  ends_at: to === null ? null : day(to),
  changed_by: 'support',
  ...more,
});
const told = (more: Partial<Told>): Told => ({
  events: [],
  keptFrom: 0,
  standing: [],
  ended: [],
  foreseen: [],
  segments: [],
  now: at(20),
  ...more,
});
/** What the service foresees of who has bucket 10, where the percentage takes so many buckets. */
const why = (until: number | null, buckets: number, more: Partial<Why> = {}): Why => ({
  user_id: '1',
  segment: 'A',
  member: true,
  because: 'added',
  since: null,
  until: until === null ? null : day(until),
  changed_by: 'support',
  rollout: buckets === 0 ? null : { percent: buckets / 100, bucket: 10, ranges: [[0, buckets]] },
  as_of: day(20),
  ...more,
});
const slugs = (timeline: ReturnType<typeof timelineOf>, n: number) => inAt(timeline, at(n)).map(({ segment }) => segment);

test('pairs entries with exits, and says how each began and ended', () => {
  const { lanes } = timelineOf(
    told({ events: [event(1, 'add', 'import'), event(3, 'remove', 'ttl'), event(5, 'add', 'rollout')] }),
  );
  assert.deepEqual(
    lanes[0]!.bars.map(({ from, to, cause, end }) => [from, to, cause, end?.cause]),
    [
      [at(1), at(3), 'import', 'ttl'],
      [at(5), Infinity, 'rollout', undefined],
    ],
  );
});

test('what began before what is kept begins there', () => {
  const { lanes } = timelineOf(told({ events: [event(3, 'remove')], keptFrom: at(2) }));
  assert.deepEqual([lanes[0]!.bars[0]!.from, lanes[0]!.bars[0]!.by], [at(2), null]);
});

test('what began before what is kept and still runs is shown, though no event tells of it', () => {
  const timeline = timelineOf(
    told({ keptFrom: at(4), standing: [stay(1, null), stay(2, 25, { segment: 'B' })], segments: ['A', 'B', 'C'] }),
  );
  assert.deepEqual(slugs(timeline, 20), ['A', 'B', 'C']);
  assert.deepEqual(
    timeline.lanes.map(({ bars: [bar] }) => [bar!.from, bar!.to, bar!.cause, bar!.by]),
    [
      [at(1), Infinity, 'request', 'support'],
      [at(2), at(25), 'request', 'support'],
      [at(4), Infinity, 'rollout', null],
    ],
  );
});

test('what runs ends at the end that is foreseen, and a plan is in from its start', () => {
  const timeline = timelineOf(told({ events: [event(10, 'add')], standing: [stay(10, 25), stay(27, 29)] }));
  assert.deepEqual(
    [9, 10, 24, 25, 27, 28, 29].map((n) => slugs(timeline, n).length),
    [0, 1, 1, 0, 1, 1, 0],
  );
  assert.deepEqual(
    timeline.lanes[0]!.bars.map(({ isPlanned }) => isPlanned),
    [false, true],
  );
});

test('the end that was set for who is covered by a percentage takes them out only where the service foresees it', () => {
  const end = (...foreseen: Why[]) => {
    const timeline = timelineOf(told({ events: [event(5, 'add', 'rollout')], standing: [stay(10, 25)], foreseen }));
    const [{ to, percentageFrom }] = timeline.lanes[0]!.bars as [Bar];
    return { to, percentageFrom, moments: timeline.moments, next: nextByItself(timeline) };
  };
  assert.deepEqual(end(why(null, 100)), { to: Infinity, percentageFrom: at(25), moments: [at(5)], next: at(25) });
  assert.deepEqual(end(why(28, 100)), { to: at(28), percentageFrom: at(25), moments: [at(5), at(28)], next: at(25) });
  const asSet = { to: at(25), percentageFrom: null, moments: [at(5), at(25)], next: at(25) };
  assert.deepEqual(end(why(25, 5)), asSet);
  assert.deepEqual(end(), asSet);
  assert.deepEqual(end(why(null, 100, { member: false })), asSet, 'removed between the two answers');
});

test('a plan takes over from what runs, and nobody comes or goes then', () => {
  const covered = { events: [event(5, 'add', 'rollout')], standing: [stay(25, 28)] };
  for (const [foreseen, to, moments] of [
    [[why(null, 100, { because: 'rollout' })], Infinity, [at(5)]],
    [[why(30, 100, { because: 'rollout' })], at(30), [at(5), at(30)]],
    [[why(22, 100, { because: 'rollout' })], at(28), [at(5), at(22), at(25), at(28)]],
  ] as const) {
    const timeline = timelineOf(told({ ...covered, foreseen }));
    assert.deepEqual(
      timeline.lanes[0]!.bars.map((bar) => bar.to),
      [Math.min(at(25), moments[1] ?? Infinity), to],
    );
    assert.deepEqual(timeline.moments, moments);
    assert.deepEqual(slugs(timeline, 26), ['A'], 'once');
  }
});

test('after a plan for who is out the percentage of now decides', () => {
  const end = (buckets: number) => {
    const foreseen = [why(25, buckets, { member: false, because: 'excluded' })];
    return timelineOf(told({ standing: [stay(25, 28)], foreseen })).lanes[0]!.bars[0]!.to;
  };
  assert.deepEqual([end(100), end(10), end(0)], [Infinity, at(28), at(28)]);
});

test('an exclusion is shown, and puts nobody in', () => {
  const exclusion = stay(4, 8, { effect: 'exclude', ended_by: 'x', ended_cause: 'request' });
  const timeline = timelineOf(told({ ended: [exclusion, stay(1, 3, { ended_by: 'x', ended_cause: 'ttl' })] }));
  assert.deepEqual(
    timeline.lanes[0]!.bars.map(({ effect }) => effect),
    ['kept-out'],
  );
  assert.deepEqual(slugs(timeline, 5), []);
});

test('lanes: those the user is in, those to come, the rest', () => {
  const timeline = timelineOf(
    told({
      events: [event(1, 'add', 'request', 'A'), event(2, 'remove', 'request', 'A'), event(3, 'add', 'request', 'Z')],
      standing: [stay(25, null, { segment: 'M' })],
    }),
  );
  assert.deepEqual(
    timeline.lanes.map(({ segment }) => segment),
    ['Z', 'M', 'A'],
  );
});

test('steps from change to change, and knows what comes by itself', () => {
  const timeline = timelineOf(told({ events: [event(1, 'add'), event(3, 'remove')], standing: [stay(25, 28)] }));
  assert.equal(momentBeside(timeline, at(2), 'before'), at(1));
  assert.equal(momentBeside(timeline, at(3), 'before'), at(1));
  assert.equal(momentBeside(timeline, at(3), 'after'), at(25));
  assert.equal(momentBeside(timeline, at(28), 'after'), undefined);
  assert.equal(nextByItself(timeline), at(25));
});
