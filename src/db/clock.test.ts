import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { databaseClock } from './clock.ts';

/** A clock whose times stand still until the test moves them. */
function clockAt(start = 0) {
  let monotonic = start;
  let wall = Date.parse('2026-11-23T09:00:00Z');
  const clock = databaseClock({ monotonic: () => monotonic, wall: () => wall });
  return {
    ...clock,
    pass: (milliseconds: number) => {
      monotonic += milliseconds;
      wall += milliseconds;
    },
    setWall: (milliseconds: number) => (wall += milliseconds),
  };
}

const noon = Date.parse('2026-11-23T12:00:00.000Z');
const microseconds = (moment: number) => moment * 1000;

test('reads 0 before the first answer, however long it waits', () => {
  const clock = clockAt(5_000);
  assert.equal(clock.now(), 0);
  clock.pass(60_000);
  assert.equal(clock.now(), 0);
});

test('reads the answer of the database, and goes on from it by the time that passes here', () => {
  const clock = clockAt(5_000);
  clock.observe(microseconds(noon));
  assert.equal(clock.now(), noon);
  clock.pass(1_500);
  assert.equal(clock.now(), noon + 1_500);
});

test('reads whole milliseconds, rounded down', () => {
  const clock = clockAt();
  clock.observe(microseconds(noon) + 999);
  assert.equal(clock.now(), noon);
  clock.pass(0.002);
  assert.equal(clock.now(), noon + 1);
});

test('follows a database whose clock goes ahead at once', () => {
  const clock = clockAt();
  clock.observe(microseconds(noon));
  clock.observe(microseconds(noon + 10_000));
  assert.equal(clock.now(), noon + 10_000);
});

test('stands still where the database goes back, until its clock has come as far again', () => {
  const clock = clockAt();
  clock.observe(microseconds(noon));
  assert.equal(clock.now(), noon);
  clock.observe(microseconds(noon - 1_000));
  assert.equal(clock.now(), noon);
  clock.pass(999);
  assert.equal(clock.now(), noon);
  clock.pass(2);
  assert.equal(clock.now(), noon + 1);
});

test('never decreases, and never runs away: no reading is later than every answer with the time since it', () => {
  fc.assert(
    fc.property(anyHappenings, (happenings) => {
      const clock = clockAt();
      let time = 0;
      let before = 0;
      const answers: { moment: number; cameAt: number }[] = [];
      for (const { kind, amount } of happenings) {
        if (kind === 'pass') {
          time += amount;
          clock.pass(amount);
        } else if (kind === 'observe') {
          answers.push({ moment: noon + amount, cameAt: time });
          clock.observe(microseconds(noon + amount));
        } else {
          const now = clock.now();
          assert.ok(now >= before, `${now} after ${before}`);
          const furthest = Math.max(0, ...answers.map(({ moment, cameAt }) => moment + time - cameAt));
          const newest = answers.at(-1);
          assert.ok(now <= furthest, `${now} is ahead of ${furthest}`);
          if (newest) assert.ok(now >= newest.moment + time - newest.cameAt, `${now} is behind the newest answer`);
          before = now;
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test('is never ahead of the database whose answers are late, and behind by no more than the newest was', () => {
  const answers = fc.array(fc.record({ after: fc.nat(5_000), lateness: fc.nat(200) }), { minLength: 1 });
  fc.assert(
    fc.property(answers, fc.nat(10_000), (steps, rest) => {
      const clock = clockAt();
      let time = 0;
      for (const { after, lateness } of steps) {
        time += after;
        clock.pass(after);
        clock.observe(microseconds(noon + time - lateness));
        assert.ok(clock.now() <= noon + time);
      }
      clock.pass(rest);
      assert.ok(clock.now() <= noon + time + rest);
      assert.ok(clock.now() >= noon + time + rest - steps.at(-1)!.lateness);
    }),
  );
});

const anyHappenings = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('pass'), amount: fc.nat(10_000) }),
    fc.record({ kind: fc.constant('observe'), amount: fc.integer({ min: -20_000, max: 20_000 }) }),
    fc.record({ kind: fc.constant('read'), amount: fc.constant(0) }),
  ),
  { maxLength: 60 },
);

test('what the database has said once is not unsaid by an answer that comes late, asked in between or not', () => {
  const clock = databaseClock({ monotonic: () => 0, wall: () => 0 });
  clock.observe(1_000_000);
  clock.observe(900_000);
  assert.equal(clock.now(), 1_000);
});

test('the age of a moment counts the way of the answer in full', () => {
  const clock = clockAt();
  assert.equal(clock.ageOf(noon), Infinity);
  const sentAt = clock.mark();
  clock.pass(700);
  clock.observe(microseconds(noon), sentAt); // read anywhere between the two: the database may be 700 ms further by now
  assert.equal(clock.ageOf(noon), 700);
  assert.equal(clock.now(), noon);
  clock.pass(300);
  assert.equal(clock.ageOf(noon - 5_000), 6_000);
});

test('the age counts the time that the machine slept, and no wall clock that is set back makes it younger', () => {
  const clock = clockAt();
  clock.observe(microseconds(noon));
  clock.setWall(400_000); // the monotonic clock stood still meanwhile
  assert.equal(clock.ageOf(noon), 400_000);
  clock.setWall(-3_600_000);
  clock.pass(250);
  assert.equal(clock.ageOf(noon), 250);
});

test('a moment that another process has seen pass is not judged before', () => {
  const clock = clockAt();
  clock.observe(microseconds(noon));
  clock.passed(noon + 20);
  assert.equal(clock.now(), noon + 20);
  clock.passed(noon + 10);
  clock.pass(10);
  assert.equal(clock.now(), noon + 20);
  clock.pass(11);
  assert.equal(clock.now(), noon + 21);
});
