import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { copyProject } from '../support/project-copy.ts';

export const run = promisify(execFile);

/**
 * The client as it is shipped: packed by npm, which builds it first, and unpacked into the `node_modules` of an empty folder.
 * In a copy, so that nothing is left here and no two of them meet.
 */
export async function installPacked(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-client-'));
  after(() => rm(folder, { recursive: true }));
  const copy = join(folder, 'clone');
  await mkdir(copy);
  await copyProject(copy, ['package.json', 'tsconfig.json', 'client', 'src']);
  const packed = join(folder, 'packed');
  await mkdir(packed);
  await run('npm', ['pack', '--silent', '--workspace', 'client', '--pack-destination', packed], { cwd: copy });
  const [tarball] = await readdir(packed);
  const installed = join(folder, 'app/node_modules/@segmentd/client');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', join(packed, tarball!), '--strip-components=1', '-C', installed]);
  return join(folder, 'app');
}

/** The oldest Node at hand, which need not be the one that runs the tests: that of `NODE_20`, else the machine's own. */
export async function oldestNode(): Promise<{ path: string; version: string }> {
  const candidates = [
    process.env.NODE_20,
    ...process.env.PATH!.split(':').map((folder) => join(folder, 'node')),
    process.execPath,
  ];
  const found: { path: string; version: string; major: number }[] = [];
  for (const path of candidates) {
    const version =
      path &&
      (await run(path, ['--version']).then(
        ({ stdout }) => stdout.trim(),
        () => undefined,
      ));
    if (version) found.push({ path, version, major: Number.parseInt(version.slice(1), 10) });
  }
  const [oldest] = found.filter(({ major }) => major >= 20).toSorted((a, b) => a.major - b.major);
  return oldest!;
}
