import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

/** The soak, which `npm test` leaves out for its length. */
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const { status } = spawnSync(process.execPath, ['test/support/run.ts', 'test/soak/soak.ts'], {
  stdio: 'inherit',
  env: { ...process.env, SOAK_MINUTES: values.minutes },
});
process.exitCode = status ?? 1;
