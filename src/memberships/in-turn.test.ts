import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTick } from 'node:timers/promises';
import fc from 'fast-check';
import { inTurn } from './in-turn.ts';

/** Tasks that note when they begin and go on until the test ends them. */
function tasks() {
  const begun: string[] = [];
  const endings = new Map<string, PromiseWithResolvers<string>>();
  const task = (name: string) => async () => {
    begun.push(name);
    const ending = Promise.withResolvers<string>();
    endings.set(name, ending);
    return ending.promise;
  };
  const end = async (name: string) => {
    endings.get(name)!.resolve(`done ${name}`);
    await nextTick();
  };
  const fail = async (name: string, error: Error) => {
    endings.get(name)!.reject(error);
    await nextTick();
  };
  return { begun, task, end, fail };
}

test('tasks of one key run one after the other, in the order they came', async () => {
  const turns = inTurn();
  const { begun, task, end } = tasks();
  const answers = Promise.all(['a', 'b', 'c'].map((name) => turns('1000', task(name))));
  await nextTick();
  assert.deepEqual(begun, ['a']);
  await end('a');
  assert.deepEqual(begun, ['a', 'b']);
  await end('b');
  assert.deepEqual(begun, ['a', 'b', 'c']);
  await end('c');
  assert.deepEqual(await answers, ['done a', 'done b', 'done c']);
});

test('a task that comes while the last one runs waits for it, however many are done', async () => {
  const turns = inTurn();
  const { begun, task, end } = tasks();
  const first = turns('1000', task('a'));
  const second = turns('1000', task('b'));
  await end('a');
  assert.equal(await first, 'done a');
  const third = turns('1000', task('c'));
  await nextTick();
  assert.deepEqual(begun, ['a', 'b']);
  await end('b');
  await second;
  await end('c');
  assert.equal(await third, 'done c');
});

test('tasks of other keys are not held up', async () => {
  const turns = inTurn();
  const { begun, task, end } = tasks();
  const slow = turns('1000', task('slow'));
  const quick = turns('1002', task('quick'));
  assert.deepEqual(begun, ['slow', 'quick']);
  await end('quick');
  assert.equal(await quick, 'done quick');
  await end('slow');
  await slow;
});

test('a task that fails does not stop the next, and its error is for its own caller alone', async () => {
  const turns = inTurn();
  const { begun, task, end, fail } = tasks();
  const failure = new Error('refused');
  const answers = Promise.allSettled(['a', 'b'].map((name) => turns('1000', task(name))));
  await fail('a', failure);
  assert.deepEqual(begun, ['a', 'b']);
  await end('b');
  assert.deepEqual(await answers, [
    { status: 'rejected', reason: failure },
    { status: 'fulfilled', value: 'done b' },
  ]);
});

test('a task that throws at once leaves its key free', async () => {
  const turns = inTurn();
  const failure = new Error('refused');
  const throwing = (): Promise<string> => {
    throw failure;
  };
  await assert.rejects(turns('1000', throwing), failure);
  assert.equal(await turns('1000', async () => 'done'), 'done');
});

test('of any tasks, no two of one key ever overlap, and each key keeps its order', async () => {
  const asked = fc.array(fc.record({ key: fc.constantFrom('1000', '1002', '1004'), ticks: fc.nat(3), fails: fc.boolean() }), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(asked, async (calls) => {
      const turns = inTurn();
      const running = new Set<string>();
      const order = new Map<string, number[]>();
      const run = async (key: string, ticks: number, fails: boolean, i: number) => {
        assert.ok(!running.has(key), `two tasks of ${key} at once`);
        running.add(key);
        order.set(key, [...(order.get(key) ?? []), i]);
        for (let tick = 0; tick < ticks; tick++) await nextTick();
        running.delete(key);
        if (fails) throw new Error('refused');
        return i;
      };
      const answers = await Promise.allSettled(
        calls.map(({ key, ticks, fails }, i) => turns(key, () => run(key, ticks, fails, i))),
      );
      assert.deepEqual(
        answers.map(({ status }) => status),
        calls.map(({ fails }) => (fails ? 'rejected' : 'fulfilled')),
      );
      for (const numbers of order.values())
        assert.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
        );
    }),
  );
});
