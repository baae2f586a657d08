import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stay } from '../../../src/timeline/facts.ts';
import type { DefinitionsChange, UserChange } from '../audit.ts';
import type { ChangeRecord, Outcome, ReadRecord, SegmentRecord } from '../log.ts';
import { explainDefinitions } from './definitions.ts';
import { checkExactReads, exactReadOf } from './exact-reads.ts';
import { makerOf, settle } from './explanations.ts';
import { checkNearbyReads } from './nearby-reads.ts';
import { checkPast } from './past.ts';
import { Acknowledgements, DefinitionsTimeline, UserTimeline } from './timeline.ts';
import { explainChanges, type KnownJob } from './writes.ts';

const start = Date.UTC(2026, 0, 1);
const at = (ms: number) => start + ms;
const revision = (ms: number) => at(ms) * 1_000;

const segmentOf = (id: number, slug: string): DefinitionsChange => ({
  version: id,
  revision: revision(id),
  segment: {
    id,
    slug,
    salt: slug,
    exclusiveGroup: null,
    createdAt: at(id),
    createdBy: 'admin',
    updatedAt: at(id),
    deletedAt: Infinity,
    deletedBy: null,
    rollouts: [{ startsAt: at(id), endsAt: Infinity, ranges: [], changedBy: 'admin' }],
  },
});

const stayOf = (segmentId: number, from: number): Stay => ({
  segmentId,
  startsAt: at(from),
  endsAt: Infinity,
  since: at(from),
  excluded: false,
  begunBy: 'me',
  begunCause: 'request',
  endedBy: null,
  endedCause: null,
});

const gone = (stay: Stay, to: number): Stay => ({ ...stay, endsAt: at(to), endedBy: 'me', endedCause: 'request' });

const change = (ms: number, began: Stay[], ended: Stay[] = []): UserChange => ({
  moment: at(ms),
  revision: revision(ms),
  began,
  ended,
  past: ended.map((stay) => gone(stay, ms)),
});

/** Segments A and B; a user who is put in A at 1,000 and taken out at 2,000; the first is acknowledged at 1,010, the second never. */
function timelines(changes = [change(1_000, [stayOf(1, 1_000)]), change(2_000, [], [stayOf(1, 1_000)])]) {
  const definitions = new DefinitionsTimeline([segmentOf(1, 'A'), segmentOf(2, 'B')]);
  definitions.acknowledged = new Acknowledgements([[2, at(10)]]);
  const user = new UserTimeline('u', changes, definitions);
  user.acknowledged = new Acknowledgements([[1, at(1_010)]]);
  return user;
}

const asked = (sent: number, got: number, outcome: Outcome = 'acknowledged') => ({
  sentAt: at(sent),
  gotAt: at(got),
  from: sent,
  to: got,
  actor: 'me',
  service: 'memory',
  outcome,
});

const read = (
  how: ReadRecord['how'],
  sent: number,
  got: number,
  segments: string[],
  more: { asOf?: number; min?: number } = {},
): ReadRecord => ({
  ...asked(sent, got),
  kind: 'read',
  how,
  userId: 'u',
  ...(more.min === undefined ? {} : { minRevision: revision(more.min) }),
  ...(how === 'at' ? { at: at(more.asOf!) } : {}),
  answer: { segments, asOf: at(more.asOf ?? sent), revision: revision(got) },
});

/** The names of the checks that find something wrong. */
function found(records: readonly ReadRecord[], user = timelines()): string[] {
  const names: string[] = [];
  const report = (name: string) => void names.push(name);
  const exact = records.filter(({ how }) => how === 'last').map((one) => exactReadOf(one, report));
  const seen = checkExactReads(user, exact, report);
  checkNearbyReads(
    user,
    records.filter(({ how }) => how === 'default' || how === 'min'),
    seen,
    report,
  );
  checkPast(
    user,
    records.filter(({ how }) => how === 'at'),
    report,
  );
  return names;
}

test('a read of the database holds what was acknowledged, and may hold what is under way', () => {
  assert.deepEqual(found([read('last', 1_020, 1_030, ['A'])]), []);
  assert.deepEqual(found([read('last', 1_020, 1_030, [])]), ['real time']);
  assert.deepEqual(found([read('last', 1_005, 1_030, [])]), []);
  assert.deepEqual(found([read('last', 1_990, 2_010, [])]), []);
  assert.deepEqual(found([read('last', 1_990, 1_999, [])]), ['real time'], 'nobody had taken the user out by then');
  assert.deepEqual(found([read('last', 1_020, 1_030, ['B'])]), ['exact read']);
  assert.deepEqual(found([read('last', 1_020, 1_030, ['A'], { asOf: 1_019 })]), ['as_of']);
});

test('what one read has seen the next one sees', () => {
  const [first, second] = [read('last', 2_001, 2_010, []), read('last', 2_020, 2_030, ['A'])];
  assert.deepEqual(found([first, second]), ['real time']);
  assert.deepEqual(found([first, { ...second, from: 2_005 }]), [], 'at the same time');
});

test('a read from nearby holds what was acknowledged before its as_of, and is not older than the limit', () => {
  assert.deepEqual(found([read('default', 1_500, 1_510, [], { asOf: 1_010 })]), []);
  assert.deepEqual(found([read('default', 1_500, 1_510, [], { asOf: 1_011 })]), ['follower']);
  assert.deepEqual(found([read('default', 3_900, 3_910, ['A'], { asOf: 1_011 })]), []);
  assert.deepEqual(found([read('default', 4_100, 4_110, ['A'], { asOf: 1_011 })]), ['staleness']);
  assert.deepEqual(found([read('default', 1_500, 1_510, ['B'], { asOf: 500 })]), ['nearby read']);
});

test('with min_revision it holds what was acknowledged or read up to that', () => {
  assert.deepEqual(found([read('min', 1_500, 1_510, [], { asOf: 500, min: 1_000 })]), ['min_revision']);
  assert.deepEqual(found([read('min', 1_500, 1_510, [], { asOf: 500, min: 999 })]), []);
  const old = read('min', 2_500, 2_510, ['A'], { asOf: 1_500, min: 2_010 });
  assert.deepEqual(found([old]), [], 'a change that nobody was told of');
  assert.deepEqual(found([read('last', 2_001, 2_010, []), old]), ['min_revision']);
});

test('an answer about the past stays what it was', () => {
  assert.deepEqual(found([read('at', 2_500, 2_510, ['A'], { asOf: 1_999 })]), []);
  assert.deepEqual(found([read('at', 2_500, 2_510, ['A'], { asOf: 2_000 })]), ['past']);
});

const wrote = (outcome: Outcome, answer?: Partial<NonNullable<ChangeRecord['answer']>>): ChangeRecord => ({
  ...asked(990, 1_010, outcome),
  kind: 'change',
  userId: 'u',
  wanted: { add: ['A', 'B'] },
  ...(answer
    ? {
        answer: {
          segments: ['A', 'B'],
          asOf: at(1_000),
          revision: revision(1_000),
          added: ['A', 'B'],
          removed: [],
          unchanged: [],
          ...answer,
        },
      }
    : {}),
});

const whole = [change(1_000, [stayOf(1, 1_000), stayOf(2, 1_000)])];

for (const [what, changes, record, expected, lost] of [
  ['acknowledged and there', whole, wrote('acknowledged', {}), [], 0],
  ['acknowledged and not there', [], wrote('acknowledged', {}), ['lost'], 1],
  ['half of what was asked for', [change(1_000, [stayOf(1, 1_000)])], wrote('acknowledged', {}), ['change'], 0],
  ['another answer than what was done', whole, wrote('acknowledged', { added: ['A'] }), ['change'], 0],
  ['refused and there', whole, wrote('refused'), ['unasked'], 0],
  ['unknown and wholly there', whole, wrote('unknown'), [], 0],
  ['unknown and not there', [], wrote('unknown'), [], 0],
  ['unknown and there by half', [change(1_000, [stayOf(2, 1_000)])], wrote('unknown'), ['unasked'], 0],
] as const) {
  test(`a change: ${what}`, () => {
    const names: string[] = [];
    const answer = explainChanges(timelines([...changes]), [record], [], (name) => names.push(name));
    assert.deepEqual([names, answer.lost], [expected, lost]);
  });
}

test('a change that changes nothing tells what holds just after a membership has ended by itself', () => {
  const ending = { ...stayOf(1, 1_000), endsAt: at(1_500) };
  const user = timelines([change(1_000, [ending])]);
  const record: ChangeRecord = {
    ...asked(1_495, 1_510),
    kind: 'change',
    userId: 'u',
    wanted: { remove: ['A'] },
    answer: { segments: [], asOf: at(1_496), revision: revision(1_000), added: [], removed: [], unchanged: ['A'] },
  };
  const told = (answer: Partial<NonNullable<ChangeRecord['answer']>>) => {
    const names: string[] = [];
    const report = (name: string) => void names.push(name);
    const { reads } = explainChanges(user, [{ ...record, answer: { ...record.answer!, ...answer } }], [], report);
    user.acknowledged = new Acknowledgements([[1, at(1_010)]]);
    checkExactReads(user, reads, report);
    return names.filter((name) => name !== 'unasked');
  };
  assert.deepEqual(told({}), []);
  assert.deepEqual(told({ removed: ['A'], unchanged: [] }), [], 'at the very moment');
  assert.deepEqual(told({ segments: ['A'] }), ['exact read']);
});

test("a percentage that stood already is nobody's change, whoever set it, and whether that was answered or not", () => {
  const raised = (percent: number, changedBy: string): DefinitionsChange => {
    const { segment } = segmentOf(1, 'A');
    const [first] = segment.rollouts;
    const rollouts = [
      { ...first!, endsAt: at(1_000) },
      { startsAt: at(1_000), endsAt: Infinity, ranges: [[0, percent * 100]] as const, changedBy },
    ];
    return { version: 2, revision: revision(1_000), segment: { ...segment, updatedAt: at(1_000), rollouts } };
  };
  const percent = (of: DefinitionsChange, wanted: number, outcome: Outcome = 'acknowledged', actor = 'me'): SegmentRecord => ({
    ...asked(990, 1_020, outcome),
    actor,
    kind: 'segment',
    operation: 'percent',
    slug: 'A',
    percent: wanted,
    revision: of.revision,
    answer: { updatedAt: of.segment.updatedAt, ranges: of.segment.rollouts.at(-1)!.ranges, scheduled: [] },
  });
  const foundOf = (changes: DefinitionsChange[], records: SegmentRecord[]) => {
    const found: string[] = [];
    explainDefinitions(new DefinitionsTimeline(changes), records, at(500), (kind) => void found.push(kind));
    return found;
  };
  const [made, byOther] = [segmentOf(1, 'A'), raised(10, 'other')];
  assert.deepEqual(foundOf([made], [percent(made, 0)]), [], 'as it was made');
  assert.deepEqual(foundOf([made], [percent(made, 5)]), ['change']);
  const others = percent(byOther, 10, 'unknown', 'other');
  assert.deepEqual(foundOf([made, byOther], [percent(byOther, 10), others]), [], 'as somebody else set it, who was not answered');
  assert.deepEqual(foundOf([made, byOther], [percent(byOther, 20), others]), ['change']);
  assert.deepEqual(foundOf([made, byOther], [percent(byOther, 10)]), ['unasked']);
  const own = raised(10, 'me');
  assert.deepEqual(foundOf([made, own], [percent(own, 10)]), []);
  assert.deepEqual(foundOf([made, own], [percent(own, 20)]), ['change', 'unasked'], 'not what was asked for');
});

/** A replace by whose file 'u' has to leave A, of one that removed so many, and was known to be over at that moment. */
const replacing = (removed: number, done = 3_000): KnownJob => ({
  id: String(removed),
  key: '',
  segmentId: 1,
  operation: 'replace',
  endsAt: Infinity,
  replaceInGroup: false,
  createdBy: 'me',
  createdAt: at(1_500),
  finishedAt: at(2_500),
  state: 'done',
  error: null,
  received: 1,
  applied: 0,
  unchanged: 1,
  rejected: 0,
  removed,
  users: new Set(['another']),
  doneAt: at(done),
  rows: makerOf(0, false),
  leavers: makerOf(removed, false),
});

const added = (ms: number): ChangeRecord => ({
  ...wrote('acknowledged', { segments: ['A'], asOf: at(ms), revision: revision(ms), added: ['A'] }),
  ...asked(ms - 10, ms + 10),
  wanted: { add: ['A'] },
});

/** In A from 1,000 on, and out of it by an import at 2,000. */
function explained(jobs: readonly KnownJob[]) {
  const left = { ...gone(stayOf(1, 1_000), 2_000), endedCause: 'import' as const };
  const user = timelines([change(1_000, [stayOf(1, 1_000)]), { ...change(2_000, [], [stayOf(1, 1_000)]), past: [left] }]);
  const names: string[] = [];
  const { open } = explainChanges(user, [added(1_000)], jobs, (name) => names.push(name));
  assert.deepEqual(names, []);
  return { user, open };
}

test('whom two replaces at the same time both lack is counted to the one that says so', () => {
  const jobs = [replacing(0), replacing(1)];
  assert.deepEqual(settle(explained(jobs).open), []);
  assert.deepEqual(
    jobs.map(({ leavers }) => leavers.made.size),
    [0, 1],
  );
});

test('what an import has done is there for good once it was known to be over, or all were that may have done it', () => {
  const stale = (asOf: number) => read('default', asOf + 100, asOf + 110, ['A'], { asOf });
  for (const [jobs, known] of [
    [[replacing(1)], 3_000],
    [[replacing(0, 4_000), replacing(1)], 3_000],
    [[replacing(1), replacing(1, 4_000)], 4_000],
  ] as const) {
    const { user } = explained(jobs);
    assert.deepEqual(found([stale(known)], user), []);
    assert.deepEqual(found([stale(known + 1)], user), ['follower']);
  }
});

test('a request whose fate is unknown explains one change, not two', () => {
  const times = [
    change(1_000, [stayOf(1, 1_000)]),
    change(1_100, [], [stayOf(1, 1_000)]),
    change(1_200, [stayOf(1, 1_200)]),
    change(1_300, [], [stayOf(1, 1_200)]),
  ];
  const names: string[] = [];
  const unknown: ChangeRecord = { ...wrote('unknown'), wanted: { remove: ['A'] } };
  const { open } = explainChanges(timelines(times), [added(1_000), added(1_200), unknown], [], (name) => names.push(name));
  assert.deepEqual([names, settle(open).length], [[], 1]);
});
