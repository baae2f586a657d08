import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inTurns, repeated, type Steps } from './turns.ts';

async function* steps(name: string, count: number, log: string[]): Steps {
  for (let i = 1; i <= count; i++) {
    log.push(`${name}${i}`);
    if (i < count) yield;
  }
}

const quietly = { pause: async () => {}, isStopped: () => false, onFailure: assert.fail };

test('nobody waits for the end of another, and after each step there is a pause', async () => {
  const log: string[] = [];
  const all = [
    { name: 'a', steps: steps('a', 3, log) },
    { name: 'b', steps: steps('b', 1, log) },
    { name: 'c', steps: steps('c', 2, log) },
  ];
  await inTurns(all, { ...quietly, pause: async () => void log.push('-') });
  assert.deepEqual(log.join(''), 'a1-b1-c1-a2-c2-a3-');
});

test('one that fails ends and is told, and the others go on', async () => {
  const log: string[] = [];
  async function* failing(): Steps {
    yield;
    throw new Error('no');
  }
  const all = [
    { name: 'bad', steps: failing() },
    { name: 'a', steps: steps('a', 3, log) },
  ];
  await inTurns(all, { ...quietly, onFailure: (name, error) => log.push(`${name}: ${String(error)}`) });
  assert.deepEqual(log, ['a1', 'bad: Error: no', 'a2', 'a3']);
});

test('it stops before the next step', async () => {
  const log: string[] = [];
  await inTurns([{ name: 'a', steps: steps('a', 5, log) }], { ...quietly, isStopped: () => log.length === 2 });
  assert.deepEqual(log, ['a1', 'a2']);
});

test('a step is repeated for as long as it says that there is more', async () => {
  let left = 3;
  let yielded = 0;
  for await (const _ of repeated(async () => --left > 0)) yielded++;
  assert.deepEqual([left, yielded], [0, 2]);
});
