import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noRedisServer } from '../support/redis.ts';
import { faultKinds } from './faults.ts';
import { runFaults } from './fault-run.ts';
import { reportText } from './report.ts';

// FAULT_SEED: to run one again. The long form, and planted bugs: npm run test:faults.
const seed = Number(process.env.FAULT_SEED ?? Date.now() % 1_000_000);

test(
  `nothing is lost, refused and done, or wrongly told while everything is hurt once (FAULT_SEED=${seed})`,
  { skip: noRedisServer },
  async () => {
    const report = await runFaults({ seed, operations: 3_000, faults: faultKinds.length, clients: 16 });
    assert.deepEqual([report.lost, report.told], [0, []], reportText(report));
    assert.deepEqual([...report.faults.keys()].sort(), faultKinds.map(({ name }) => name).sort());
    assert.ok(report.counts.outcomes.acknowledged > 1_000 && report.changes > 300, reportText(report));
  },
);
