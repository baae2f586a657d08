import { isBuilt, writePage } from './build.ts';

/**
 * Builds the page. With `--if-older` only where it is missing or older than its sources, and a failure does not keep the
 * service from starting: it serves everything else without the page.
 */
const isAsked = !process.argv.includes('--if-older');
if (isAsked || !isBuilt()) {
  try {
    await writePage();
  } catch (error) {
    process.stderr.write(`the page at /ui/ could not be built: ${(error as Error).message}\n`);
    if (isAsked) process.exitCode = 1;
  }
}
