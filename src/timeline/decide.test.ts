import assert from 'node:assert/strict';
import { test } from 'node:test';
import { second } from '../../test/model/core-run.ts';
import {
  added,
  asked,
  created,
  decided,
  deleted,
  grouped,
  missing,
  rated,
  reaching,
  removed,
  stay,
  told,
  withStays,
} from '../../test/model/story.ts';
import { applied } from './applied.ts';
import { type Command, decide, type Decision } from './decide.ts';
import { type Facts, lastMoment, type Stay } from './facts.ts';

const everybody = 10_000;
const until = (at: number) => ({ kind: 'at', moment: at * second }) as const;
const ttl = (seconds: number) => ({ kind: 'ttl', milliseconds: seconds * second }) as const;
const changesNothing = ({ endings, beginnings }: Decision) => endings.length + beginnings.length === 0;
const bob = { cause: 'request', by: 'bob' } as const;

test('the answer tells what changed between the instant before and the moment', () => {
  const facts = told(created(0, 'A'), created(1, 'B'), created(2, 'C'), created(3, 'D'), added(10, 'A'), added(11, 'C'));
  const { added: isIn, removed: isOut, unchanged } = decided(facts, asked({ add: ['A', 'B'], remove: ['D', 'C'] }), 20);
  assert.deepEqual([isIn, isOut, unchanged], [['B'], ['C'], ['A', 'D']]);
});

test('adding starts a stay at the moment of applying, with the end, the cause and the actor of the command', () => {
  const command = asked({ add: ['A'], end: ttl(60), actor: 'loader', cause: 'import' });
  const { endings, beginnings } = decided(told(created(0, 'A')), command, 20);
  assert.deepEqual(endings, []);
  assert.deepEqual(beginnings, [
    { segmentId: 1, startsAt: null, excluded: false, end: ttl(60), since: null, cause: 'import', by: 'loader' },
  ]);
});

test('a repeat without an end, or with the end that stands, changes nothing', () => {
  const permanent = told(created(0, 'A'), added(10, 'A'));
  const ending = told(created(0, 'A'), added(10, 'A', { end: { expiresAt: 50 } }));
  for (const [facts, command] of [
    [permanent, asked({ add: ['A'] })],
    [ending, asked({ add: ['A'], end: until(50) })],
  ] as const) {
    const decision = decided(facts, command, 20);
    assert.ok(changesNothing(decision));
    assert.deepEqual(decision.unchanged, ['A']);
  }
});

test('another end, or any TTL, moves it: one stay ends and the next begins with the same since', () => {
  const permanent = told(created(0, 'A'), added(10, 'A'));
  const ending = told(created(0, 'A'), added(10, 'A', { end: { expiresAt: 50 } }));
  const moves: [Facts, Command['end']][] = [
    [permanent, until(50)],
    [permanent, ttl(30)],
    [ending, { kind: 'never' }],
    [ending, until(51)],
    [ending, ttl(30)], // which comes to the same end
  ];
  for (const [facts, end] of moves) {
    const decision = decided(facts, asked({ add: ['A'], end }), 20);
    assert.deepEqual(decision.endings, [{ segmentId: 1, startsAt: 10_000, endsAt: null, ...bob }]);
    assert.deepEqual(decision.beginnings, [{ segmentId: 1, startsAt: null, excluded: false, end, since: 10_000, ...bob }]);
    assert.deepEqual(decision.unchanged, ['A']);
  }
});

test('removing ends the stay; where there is none and no percentage it changes nothing', () => {
  const decision = decided(told(created(0, 'A'), added(10, 'A')), asked({ remove: ['A'] }), 20);
  assert.deepEqual(decision.endings, [{ segmentId: 1, startsAt: 10_000, endsAt: null, ...bob }]);
  assert.deepEqual(decision.beginnings, []);
  assert.ok(changesNothing(decided(told(created(0, 'A')), asked({ remove: ['A'] }), 20)));
});

test('removing under a percentage records an exclusion for good, whoever is in or not', () => {
  const exclusion = { segmentId: 1, startsAt: null, excluded: true, end: { kind: 'never' }, since: null, ...bob };
  for (const buckets of [1, missing('A'), reaching('A'), everybody]) {
    const segment = created(0, 'A', buckets);
    assert.deepEqual(decided(told(segment), asked({ remove: ['A'] }), 20).beginnings, [exclusion]);
    assert.deepEqual(decided(told(segment, added(10, 'A')), asked({ remove: ['A'] }), 20).beginnings, [exclusion]);
  }
  assert.deepEqual(decided(told(created(0, 'A', everybody), rated(10, 'A', 0)), asked({ remove: ['A'] }), 20).beginnings, []);
});

test('removing records an exclusion where a percentage above 0 is only scheduled', () => {
  const facts = told(created(0, 'A'), rated(40, 'A', missing('A')));
  assert.equal(decided(facts, asked({ remove: ['A'] }), 20).beginnings[0]?.excluded, true);
});

test('an exclusion is recorded once, and its repeat changes nothing', () => {
  const facts = told(created(0, 'A', everybody), removed(10, 'A'));
  const decision = decided(facts, asked({ remove: ['A'] }), 20);
  assert.ok(changesNothing(decision));
  assert.deepEqual(decision.unchanged, ['A']);
});

test('an add ends the exclusion and begins a stretch of its own', () => {
  const { endings, beginnings } = decided(told(created(0, 'A', everybody), removed(10, 'A')), asked({ add: ['A'] }), 20);
  assert.deepEqual(endings, [{ segmentId: 1, startsAt: 10_000, endsAt: null, ...bob }]);
  assert.equal(beginnings[0]?.since, null);
});

test('a write takes along what is over: expired at its own end by who set it, of a dead segment at its deletion', () => {
  const facts = told(
    created(0, 'A'),
    created(1, 'B'),
    created(2, 'C'),
    added(5, 'A', { end: { ttl: 3 }, by: 'cyd' }),
    added(6, 'B'),
    deleted(9, 'B', 'eve'),
  );
  assert.deepEqual(decided(facts, asked({ add: ['C'] }), 20).endings, [
    { segmentId: 1, startsAt: 5_000, endsAt: 8_000, cause: 'ttl', by: 'cyd' },
    { segmentId: 2, startsAt: 6_000, endsAt: 9_000, cause: 'segment_deleted', by: 'eve' },
  ]);
  assert.ok(changesNothing(decided(facts, asked({ remove: ['C'] }), 20)), 'but nobody writes for that alone');
});

test('a write takes along what ends at this very moment, and what a plan has cut, as the doing of who planned', () => {
  const segments = told(created(0, 'A'), created(1, 'C'));
  const ending = withStays(segments, stay(10, 20));
  assert.deepEqual(decided(ending, asked({ add: ['C'] }), 20).endings, [
    { segmentId: 1, startsAt: 10_000, endsAt: 20_000, cause: 'ttl', by: 'bob' },
  ]);
  assert.deepEqual(decided(ending, asked({ add: ['C'] }), 19.999).endings, []);
  const cut = withStays(segments, stay(10), stay(15, 30, { begunBy: 'cyd' }));
  const byWhoPlanned = { segmentId: 1, startsAt: 10_000, endsAt: 15_000, cause: 'request', by: 'cyd' };
  assert.deepEqual(decided(cut, asked({ add: ['C'] }), 20).endings, [byWhoPlanned]);
  assert.deepEqual(decided(cut, asked({ remove: ['A'] }), 20).endings[1], byWhoPlanned, 'also when the plan itself is ended now');
});

test('a later add or remove of the pair replaces the plan, and what stands with it', () => {
  const both = [10_000, 30_000];
  const facts = withStays(told(created(0, 'A')), stay(10), stay(30, 40));
  for (const command of [asked({ add: ['A'] }), asked({ add: ['A'], end: ttl(5) }), asked({ remove: ['A'] })]) {
    assert.deepEqual(
      decided(facts, command, 20).endings.map(({ startsAt }) => startsAt),
      both,
    );
  }
  const planAlone = decided(withStays(told(created(0, 'A')), stay(30, 40)), asked({ remove: ['A'] }), 20);
  assert.deepEqual(
    planAlone.endings.map(({ startsAt }) => startsAt),
    [30_000],
  );
  assert.deepEqual(planAlone.unchanged, ['A']);
});

test('a plan that begins no later than the present stay ends carries on its since; behind a gap or an exclusion it has its own', () => {
  const since = (present: Stay, start: number) =>
    decided(withStays(told(created(0, 'A')), present), asked({ add: ['A'], start: start * second }), 20).beginnings[0]!.since;
  assert.deepEqual(
    [29, 30, 31].map((start) => since(stay(10, 30), start)),
    [10_000, 10_000, null],
  );
  assert.equal(since(stay(10, Infinity, { excluded: true }), 30), null);
});

test('a membership without an end that a plan cuts is in the way in its group until that plan has ended, and no longer', () => {
  const facts = withStays(told(grouped(0, 'A', 'G'), grouped(1, 'B', 'G')), stay(10), stay(30, 40));
  const planned = (start: number) => decide(facts, asked({ add: ['B'], start: start * second }), 20 * second);
  assert.ok('refused' in planned(39));
  assert.ok(!('refused' in planned(40)));
});

test('a row of a file that takes the place of who is in leaves plans, and the end of who is in where it gives none', () => {
  const planned = stay(60, 70);
  const [isIn, isOut] = [[stay(10, 50), planned], [planned]].map((stays) => withStays(told(created(0, 'A')), ...stays));
  const row = (facts: Facts, end: Command['end']) =>
    decided(facts, asked({ add: ['A'], end, replacement: 15_000, cause: 'import' }), 20);
  assert.ok(changesNothing(row(isIn!, { kind: 'never' })));
  assert.ok(changesNothing(row(isIn!, until(50))));
  for (const end of [until(40), ttl(20)] as const) {
    const { endings, beginnings } = row(isIn!, end);
    assert.deepEqual([endings.map(({ startsAt }) => startsAt), beginnings.map((one) => one.end)], [[10_000], [end]]);
  }
  const { endings, beginnings } = row(isOut!, until(50));
  assert.deepEqual([endings, beginnings.length], [[], 1]);
});

test('since when a plan that stays tells its user to be in follows what such a file does before it', () => {
  const since = (plan: Stay, present: Stay[], command: Partial<Command>) => {
    const facts = withStays(told(created(0, 'A')), ...present, plan);
    const decision = decided(facts, asked({ replacement: 15_000, cause: 'import', ...command }), 20);
    const after = applied(facts, decision, 20_500).stays.filter(({ startsAt }) => startsAt === plan.startsAt);
    assert.deepEqual(after, [{ ...plan, since: after[0]!.since }], 'the plan is as it was otherwise');
    return after[0]!.since;
  };
  const [apart, onward] = [stay(60, 70, { begunBy: 'cleo' }), stay(60, Infinity, { begunBy: 'cleo', since: 10_000 })];
  assert.equal(since(onward, [stay(10, 60)], { remove: ['A'] }), 60_000, 'out before it');
  assert.equal(since(apart, [stay(10, 50)], { remove: ['A'] }), 60_000);
  assert.equal(since(onward, [stay(10, 60)], { add: ['A'], end: until(59) }), 60_000, 'a gap');
  assert.equal(since(apart, [stay(10, 50)], { add: ['A'], end: until(60) }), 10_000, 'no gap any more');
  assert.equal(since(apart, [stay(10, 50)], { add: ['A'], end: ttl(40) }), 10_000);
  assert.equal(since(onward, [stay(10, 60)], { add: ['A'] }), 10_000);
  assert.equal(since(apart, [], { add: ['A'] }), 20_500, 'in by the file');
  assert.equal(since(apart, [stay(10, Infinity, { excluded: true })], { add: ['A'] }), 20_500);
  assert.equal(since(apart, [], { add: ['A'], end: until(59) }), 60_000);
});

test('whom such a file lacks goes out where the stretch began before it, and plans stay', () => {
  const facts = withStays(told(created(0, 'A')), stay(10, 50), stay(60, 70));
  const missingFrom = (replacement: number) =>
    decided(facts, asked({ remove: ['A'], replacement, cause: 'import' }), 20).endings.map(({ startsAt }) => startsAt);
  assert.deepEqual([missingFrom(10_001), missingFrom(10_000), missingFrom(9_999)], [[10_000], [], []]);
  const covered = withStays(told(created(0, 'A', everybody)), stay(60, 70));
  const isOut = decided(covered, asked({ remove: ['A'], replacement: 15_000, cause: 'import' }), 20);
  assert.ok(changesNothing(isOut), 'who is in by percentage alone is left so');
});

test('a decision is good until time alone changes something, or its own end has come', () => {
  const segment = told(created(0, 'A'), created(1, 'B'));
  const goodUntil = (facts: Facts, command: Partial<Command>, at = 20) =>
    decided(facts, asked({ add: ['B'], ...command }), at).goodUntil;
  assert.equal(goodUntil(segment, {}), Infinity);
  assert.equal(goodUntil(withStays(segment, stay(10, 30)), {}), 30_000, 'an expiry');
  assert.equal(goodUntil(withStays(segment, stay(25, 30)), {}), 25_000, 'a planned start');
  assert.equal(goodUntil(told(created(0, 'A'), created(1, 'B'), rated(40, 'A', 100)), {}), 40_000, 'a scheduled percentage');
  assert.equal(goodUntil(withStays(segment, stay(10, 30)), { end: until(29) }), 29_000, 'the end asked for');
  assert.equal(goodUntil(segment, { start: 29_000, end: until(30) }), 29_000, 'the start asked for');
  assert.equal(goodUntil(segment, { end: ttl(1) }), lastMoment - 999, 'the last moment that a TTL can end before');
  assert.equal(goodUntil(withStays(segment, stay(10, 15)), {}), Infinity, 'what is over does not count');
  const pair = told(grouped(0, 'A', 'G'), grouped(1, 'B', 'G'));
  assert.equal(goodUntil(withStays(pair, stay(50, 60)), { end: ttl(20) }), 30_001, 'a TTL that would meet a plan of the group');
});

test('a decision for the very moment of a change holds for that millisecond alone', () => {
  for (const facts of [withStays(told(created(0, 'A')), stay(10, 20)), withStays(told(created(0, 'A')), stay(20, 30))]) {
    assert.equal(decided(facts, asked({ add: ['A'] }), 20).goodUntil, 20_001);
  }
});

test('every slug without a living segment is told, with its place', () => {
  const facts = told(created(0, 'A'), created(1, 'GONE'), deleted(10, 'GONE'));
  assert.deepEqual(decide(facts, asked({ add: ['NONE', 'A'], remove: ['GONE'] }), 20_000), {
    refused: 'segment_not_found',
    slugs: [
      { path: 'add/0', slug: 'NONE' },
      { path: 'remove/0', slug: 'GONE' },
    ],
  });
  assert.ok('refused' in decide(facts, asked({ add: ['a'] }), 20_000), 'slugs differ by case');
});

test('an end that is not in the future is refused: the moment itself is too late', () => {
  const facts = told(created(0, 'A'));
  for (const end of [until(20), until(19.999), until(0)]) {
    assert.deepEqual(decide(facts, asked({ add: ['A'], end }), 20_000), { refused: 'end_not_future', end: end.moment });
  }
  assert.ok('added' in decide(facts, asked({ add: ['A'], end: until(20.001) }), 20_000));
});

test('a plan that does not start in the future, or ends no later than it starts, is refused', () => {
  const facts = told(created(0, 'A'));
  const plan = (start: number, end: Command['end']) => decide(facts, asked({ add: ['A'], start: start * second, end }), 20_000);
  for (const start of [20, 19.999])
    assert.deepEqual(plan(start, until(30)), { refused: 'start_not_future', start: start * second });
  for (const end of [until(25), until(24.999)])
    assert.deepEqual(plan(25, end), { refused: 'end_not_after_start', start: 25_000, end: end.moment });
  for (const end of [until(25.001), ttl(1), { kind: 'never' }] as const) assert.ok('added' in plan(25, end));
  assert.ok('added' in plan(20.001, { kind: 'never' }));
});

test('two of one group at once are in the way of each other, sorted, also where room is made for them', () => {
  const facts = told(grouped(0, 'B', 'G'), grouped(1, 'A', 'G'));
  for (const replaceInGroup of [true, false])
    assert.deepEqual(decide(facts, asked({ add: ['B', 'A'], replaceInGroup }), 20_000), {
      refused: 'group_conflict',
      slugs: ['A', 'B'],
    });
});

test('what is wrong with the request in itself is told before a slug that is not known', () => {
  const facts = told(created(0, 'A'));
  for (const end of [until(20), { kind: 'ttl', milliseconds: lastMoment }] as const) {
    const refusal = decide(facts, asked({ add: ['NONE'], end }), 20_000);
    assert.ok('refused' in refusal && refusal.refused !== 'segment_not_found');
  }
});

test('a TTL that ends after the year 9999 is refused', () => {
  const longest = lastMoment - 20_000;
  const command = (milliseconds: number) => asked({ add: ['A'], end: { kind: 'ttl', milliseconds } });
  assert.ok('added' in decide(told(created(0, 'A')), command(longest), 20_000));
  for (const milliseconds of [longest + 1, Number.MAX_VALUE]) {
    assert.deepEqual(decide(told(created(0, 'A')), command(milliseconds), 20_000), {
      refused: 'end_too_late',
      latestMilliseconds: longest,
      milliseconds,
    });
  }
});

test('a plan that is taken back in the moment of its start lets nothing go on that it has cut, so it is in the way of nothing', () => {
  const inGroup = (at: number, slug: string) => ({ ...created(at, slug), group: 'G' });
  const facts = told(inGroup(0, 'A'), inGroup(1, 'B'), added(10, 'B'), added(11, 'B', { startsAt: 20, end: { ttl: 4 } }));
  const { added: entered, removed: left } = decided(facts, asked({ add: ['A'], remove: ['B'] }), 20);
  assert.deepEqual([entered, left], [['A'], ['B']]);
});

test('those of which a group made room come after the named ones, sorted by their slugs', () => {
  const pairs = [
    ['Z', 'A', 'G'],
    ['B', 'Y', 'H'],
    ['Q', 'X', 'I'],
  ] as const; // of each the user is in the first
  const segments = pairs.flatMap(([one, other, group], i) => [grouped(2 * i, one, group), grouped(2 * i + 1, other, group)]);
  const facts = told(...segments, created(9, 'M'), ...['Z', 'B', 'Q', 'M'].map((slug, i) => added(10 + i, slug)));
  const { removed: left } = decided(facts, asked({ add: ['A', 'Y', 'X'], remove: ['M'], replaceInGroup: true }), 20);
  assert.deepEqual(left, ['M', 'B', 'Q', 'Z']);
});
