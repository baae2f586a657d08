import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { logOutput } from './log-output.ts';

test('lines that nobody takes are dropped, and how many is told when they are taken again', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'segmentd-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const pipe = openSync(join(folder, 'pipe'), constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => closeSync(pipe));
  const { write } = logOutput(pipe);
  const line = `${'x'.repeat(999)}\n`;
  const startedAt = performance.now();
  for (let i = 0; i < 1_000; i++) write(line);
  assert.ok(performance.now() - startedAt < 5_000, 'it waits for the first one alone');

  const taken = Buffer.alloc(1_000_000);
  const held = taken.toString('latin1', 0, readSync(pipe, taken));
  write('again\n');
  const next = taken.toString('latin1', 0, readSync(pipe, taken));
  assert.match(next, /^\n\{"level":40,[^\n]* lines of the log could not be written"\}\nagain\n$/);
  const lost = [...(held + next).matchAll(/"(\d+) lines of the log could not be written"/g)].map(([, count]) => Number(count));
  const whole = held.split('\n').filter((one) => one === line.trimEnd()).length;
  assert.ok(whole > 0 && whole < 1_000);
  assert.equal(
    lost.reduce((sum, count) => sum + count, 0),
    1_000 - whole,
  );
});

test('a disk that is full is none to wait for', () => {
  const full = openSync('/dev/full', 'w');
  logOutput(full).write('lost\n');
  closeSync(full);
});
