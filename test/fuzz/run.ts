import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

/** The fuzz alone, as long as is asked for. `--only`: that one request of the seed, to look at it. */
const { values } = parseArgs({
  options: { seed: { type: 'string' }, requests: { type: 'string', default: '100000' }, only: { type: 'string' } },
});
const { status } = spawnSync(process.execPath, ['test/support/run.ts', 'test/fuzz/fuzz.test.ts'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    FUZZ_REQUESTS: values.requests,
    ...(values.seed && { FUZZ_SEED: values.seed }),
    ...(values.only && { FUZZ_ONLY: values.only }),
  },
});
process.exitCode = status ?? 1;
