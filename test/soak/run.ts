import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

/** Leaks that can be planted, by the figure that they make grow. */
const plants = ['rss', 'heap', 'handles'] as const;
export type Plant = (typeof plants)[number];

/** The soak, which `npm test` leaves out for its length. `--plant`: with a leak, which it must notice. */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, plant: { type: 'string' } },
});
if (values.plant !== undefined && !plants.includes(values.plant as Plant))
  throw new Error(`--plant: one of ${plants.join(', ')}; got ${values.plant}`);
const { status } = spawnSync(process.execPath, ['test/support/run.ts', 'test/soak/soak.ts'], {
  stdio: 'inherit',
  env: { ...process.env, SOAK_MINUTES: values.minutes, ...(values.plant && { SOAK_PLANT: values.plant }) },
});
process.exitCode = status ?? 1;
