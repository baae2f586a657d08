import { spawnSync } from 'node:child_process';

/**
 * Node's test runner with this project's set-up. Without a file on the command line all tests run; the runner's own default
 * would also take every file below `test/` for one.
 */
const given = process.argv.slice(2);
const files = given.some((argument) => !argument.startsWith('-'))
  ? []
  : ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts', 'client/src/**/*.test.ts', 'ui/**/*.test.ts'];
const setUp = '--test-global-setup=./test/support/global-setup.ts';
const { status } = spawnSync(process.execPath, ['--test', setUp, ...given, ...files], { stdio: 'inherit' });
process.exitCode = status ?? 1;
