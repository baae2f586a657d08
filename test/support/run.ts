import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Node's test runner with this project's set-up. Without a file on the command line all tests run; the runner's own default
 * would also take every file below `test/` for one.
 */
const given = process.argv.slice(2);
const files = given.some((argument) => !argument.startsWith('-'))
  ? []
  : ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts', 'client/src/**/*.test.ts', 'ui/**/*.test.ts'];
const setUp = '--test-global-setup=./test/support/global-setup.ts';
// Each file is a process, and many start more: what they compile is kept, which halves the time to load the service.
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/segmentd', import.meta.url));
const { status } = spawnSync(process.execPath, ['--test', setUp, ...given, ...files], {
  stdio: 'inherit',
  env: { NODE_COMPILE_CACHE: compileCache, ...process.env },
});
process.exitCode = status ?? 1;
