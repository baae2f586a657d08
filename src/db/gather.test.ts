import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTick, setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { BusyError } from './failures.ts';
import { gather } from './gather.ts';

/** A `run` whose batches wait until the test answers them; each item is answered by its double. */
function batches() {
  const begun: { items: number[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const run = (items: number[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    begun.push({ items, answer: () => resolve(items.map((item) => item * 2)), fail: reject });
    return promise;
  };
  return { begun, run, items: () => begun.map((batch) => batch.items) };
}

test('what is asked in one tick goes in one batch, in the order asked', async () => {
  const { run, begun, items } = batches();
  const ask = gather({ lanes: 3, maxItems: 100, run });
  const answers = Promise.all([ask(1), ask(2), ask(3), ask(2)]);
  assert.deepEqual(items(), [], 'nothing goes before the tick is over');
  await nextTick();
  assert.deepEqual(items(), [[1, 2, 3, 2]]);
  begun[0]!.answer();
  assert.deepEqual(await answers, [2, 4, 6, 4]);
});

test('what is asked behind promises of the same tick goes in the same batch', async () => {
  const { run, begun, items } = batches();
  const ask = gather({ lanes: 3, maxItems: 100, run });
  const behindPromises = async (item: number) => {
    await Promise.resolve();
    await Promise.resolve();
    return ask(item);
  };
  const answers = Promise.all([ask(1), behindPromises(2), ask(3)]);
  await nextTick();
  assert.deepEqual(items(), [[1, 3, 2]]);
  begun[0]!.answer();
  assert.deepEqual(await answers, [2, 4, 6]);
});

test('what comes later goes in another batch, beside the first while a lane is free', async () => {
  const { run, begun, items } = batches();
  const ask = gather({ lanes: 2, maxItems: 100, run });
  const first = ask(1);
  await nextTick();
  const second = ask(2);
  await nextTick();
  assert.deepEqual(items(), [[1], [2]]);
  begun[1]!.answer();
  assert.equal(await second, 4);
  begun[0]!.answer();
  assert.equal(await first, 2);
});

test('what is asked while all lanes are busy waits together and goes in one batch', async () => {
  const { run, begun, items } = batches();
  const ask = gather({ lanes: 1, maxItems: 100, run });
  const first = ask(1);
  await nextTick();
  const waiting = [ask(2)];
  await nextTick();
  waiting.push(ask(3));
  await nextTick();
  assert.deepEqual(items(), [[1]]);
  begun[0]!.answer();
  await first;
  await nextTick();
  assert.deepEqual(items(), [[1], [2, 3]]);
  begun[1]!.answer();
  assert.deepEqual(await Promise.all(waiting), [4, 6]);
});

test('a batch holds no more than the most items; the rest goes in the next ones', async () => {
  const { run, begun, items } = batches();
  const ask = gather({ lanes: 2, maxItems: 2, run });
  const answers = Promise.all([1, 2, 3, 4, 5].map((item) => ask(item)));
  await ticks(5);
  assert.deepEqual(
    items(),
    [
      [1, 2],
      [3, 4],
    ],
    'the fifth waits for a lane',
  );
  begun[1]!.answer();
  await ticks(2);
  assert.deepEqual(items(), [[1, 2], [3, 4], [5]]);
  for (const batch of begun) batch.answer();
  assert.deepEqual(await answers, [2, 4, 6, 8, 10]);
});

test('a failure reaches every caller of its batch, and only those', async () => {
  const { run, begun } = batches();
  const ask = gather({ lanes: 2, maxItems: 2, run });
  const answers = Promise.allSettled([1, 2, 3, 4].map((item) => ask(item)));
  await ticks(3);
  const failure = new Error('the connection broke');
  begun[0]!.fail(failure);
  begun[1]!.answer();
  assert.deepEqual(await answers, [
    { status: 'rejected', reason: failure },
    { status: 'rejected', reason: failure },
    { status: 'fulfilled', value: 6 },
    { status: 'fulfilled', value: 8 },
  ]);
});

test('a failed batch frees its lane', async () => {
  const { run, begun } = batches();
  const ask = gather({ lanes: 1, maxItems: 1, run });
  const [first, second] = [ask(1), ask(2)];
  await nextTick();
  begun[0]!.fail(new Error('the connection broke'));
  await assert.rejects(first);
  await ticks(2);
  begun[1]!.answer();
  assert.equal(await second, 4);
});

test('a run that throws before it waits fails its callers too', async () => {
  const failure = new Error('no connection');
  const ask = gather<number, number>({
    lanes: 1,
    maxItems: 10,
    run: () => {
      throw failure;
    },
  });
  assert.deepEqual(await Promise.allSettled([ask(1), ask(2)]), [
    { status: 'rejected', reason: failure },
    { status: 'rejected', reason: failure },
  ]);
  await assert.rejects(ask(3), failure);
});

test('what does not fit with those before it waits, in order, and the first that waits always goes', async () => {
  const { run, begun, items } = batches();
  const ask = gather({ lanes: 1, maxItems: 3, run, fits: (item, batch) => item % 2 === batch[0]! % 2 });
  const answers = Promise.all([1, 2, 3, 4, 5, 7, 6].map((item) => ask(item)));
  for (let i = 0; i < 3; i++) {
    await ticks(2);
    begun[i]!.answer();
  }
  assert.deepEqual(await answers, [2, 4, 6, 8, 10, 14, 12]);
  assert.deepEqual(items(), [[1, 3, 5], [2, 4, 6], [7]]);
});

test('everybody is answered their own, within the lanes and the size, whatever comes when', async () => {
  const asked = fc.array(fc.record({ item: fc.nat(), ticksBefore: fc.nat(2), ticksToRun: fc.nat(4) }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(asked, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 }), async (calls, lanes, maxItems) => {
      let running = 0;
      const ask = gather({
        lanes,
        maxItems,
        run: async (batch: typeof calls) => {
          running++;
          assert.ok(running <= lanes && batch.length > 0 && batch.length <= maxItems);
          await ticks(batch[0]!.ticksToRun);
          running--;
          return batch.map(({ item }) => item * 2);
        },
      });
      const answers: Promise<number>[] = [];
      for (const call of calls) {
        await ticks(call.ticksBefore);
        answers.push(ask(call));
      }
      assert.deepEqual(
        await Promise.all(answers),
        calls.map(({ item }) => item * 2),
      );
    }),
  );
});

async function ticks(count: number) {
  for (let i = 0; i < count; i++) await nextTick();
}

test('what would wait behind too many fails at once, and the rest is answered', async () => {
  const { run, begun, items } = batches();
  const ask = gather({ lanes: 1, maxItems: 1, maxWaiting: 2, run });
  const first = ask(1);
  await nextTick();
  const waiting = [ask(2), ask(3)];
  await assert.rejects(ask(4), BusyError);
  for (let i = 0; i < 3; i++) {
    while (begun.length <= i) await nextTick();
    begun[i]!.answer();
  }
  assert.deepEqual([await first, ...(await Promise.all(waiting))], [2, 4, 6]);
  assert.deepEqual(items(), [[1], [2], [3]]);
});

test('what has waited too long for a lane fails then, unsent, and what came later waits on', async () => {
  const { run, begun, items } = batches();
  const ask = gather({ lanes: 1, maxItems: 1, patienceMs: 60, run });
  const first = ask(1);
  await nextTick();
  const second = ask(2);
  second.catch(() => {});
  await wait(40);
  const third = ask(3);
  await assert.rejects(second, BusyError);
  begun[0]!.answer();
  while (begun.length === 1) await nextTick();
  begun[1]!.answer();
  assert.deepEqual([await first, await third, items()], [2, 6, [[1], [3]]]);
});
