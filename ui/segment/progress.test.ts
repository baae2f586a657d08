import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quarterWords, rateOf, type Sample, timeLeft, withSample } from './progress.ts';

const samples = (...rows: number[]): Sample[] => rows.map((row, i) => ({ at: i * 1000, rows: row }));

test('the rate and the time left are those of the last ten seconds', () => {
  let all: Sample[] = [];
  for (let second = 0; second <= 30; second++)
    all = withSample(all, { at: second * 1000, rows: second < 15 ? second * 1000 : 15_000 + (second - 15) * 200 });
  assert.equal(rateOf(all), 200);
  assert.equal(timeLeft(all, 20_000), 10_000);
});

test('says nothing before it can know, or while nothing moves', () => {
  assert.equal(rateOf([]), null);
  assert.equal(rateOf(samples(5)), null);
  assert.equal(timeLeft(samples(5, 5), 10), null);
});

test('a sample after a long silence is held against the one before it', () => {
  assert.deepEqual(withSample(samples(0, 10), { at: 60_000, rows: 100 }), [
    { at: 1000, rows: 10 },
    { at: 60_000, rows: 100 },
  ]);
});

test('a screen reader is told the beginning and each quarter, not each step', () => {
  const words = Array.from({ length: 1_001 }, (_, done) => quarterWords(done, 1_000, 'Import'));
  assert.deepEqual([...new Set(words)], ['Import …', 'Import: 25 %', 'Import: 50 %', 'Import: 75 %']);
  assert.deepEqual([words[249], words[250]], ['Import …', 'Import: 25 %']);
  assert.equal(quarterWords(0, 0, 'Import'), 'Import …');
});
