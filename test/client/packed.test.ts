import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { startClient } from './calling.ts';
import { installPacked, oldestNode, run } from './packing.ts';

// What is shipped, rather than its sources.

const app = await installPacked();
const installed = join(app, 'node_modules/@segmentd/client');
const vectors = fileURLToPath(new URL('../../docs/rollout-vectors.json', import.meta.url));
const node = await oldestNode();

/** Runs a program that uses the package, on the oldest Node at hand. */
async function runHere(name: string, program: string, ...args: string[]): Promise<string> {
  await writeFile(join(app, name), program);
  return (await run(node.path, [name, ...args], { cwd: app })).stdout;
}

test('holds JavaScript and types, and needs nothing else', async () => {
  const files = await readdir(installed, { recursive: true });
  const names = files.filter((path) => path.includes('.'));
  const odd = names.filter((path) => !/^(package\.json|README\.md|dist\/.+(\.js|\.d\.ts))$/.test(path));
  assert.deepEqual(odd, []);
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Record<string, unknown>;
  for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies']) assert.equal(manifest[kind], undefined);
});

test(`works on Node 20, or on the oldest that is at hand: ${node.version}`, async () => {
  const { url, keys, call } = await startClient();
  await call('POST', '/v1/segments', { slug: 'A', percent: 10 });
  const program = `
    import { createClient, SegmentdError } from '@segmentd/client';
    const client = createClient({ url: process.argv[2], key: process.argv[3], timeoutMs: 30_000 });
    const told = [];
    const following = (async () => {
      for await (const { type } of client.follow({}, { onPosition: () => (change ??= client.change('1', { add: ['A'] })) }))
        if (told.push(type) === 1) return;
    })();
    let change;
    await following;
    told.push((await change).added.join());
    told.push(await client.isIn('1', 'A'));
    for await (const { slug } of client.segments.list()) told.push(slug);
    for await (const { state } of client.progress(await client.importUsers('A', ['2'], { operation: 'add' }))) {
      told.push(state);
      break;
    }
    await client.change('1', { add: ['NONE'] }).catch((error) => told.push(error instanceof SegmentdError && error.code));
    console.log(JSON.stringify(told));`;
  const told = JSON.parse(await runHere('calls.mjs', program, url, keys.write)) as unknown;
  assert.deepEqual(told, ['entry', 'A', true, 'A', 'running', 'segment_not_found']);
});

test('decides percentages as the service does: the published vectors', async () => {
  const program = `
    import { readFile } from 'node:fs/promises';
    import { bucketOf, coveredBy } from '@segmentd/client';
    const vectors = JSON.parse(await readFile(process.argv[2], 'utf8'));
    const buckets = vectors.map(({ salt, user_id }) => bucketOf(salt, user_id));
    const covered = buckets.filter((bucket) => coveredBy([[0, 1000], [9000, 9001]], bucket));
    console.log(JSON.stringify({ buckets, covered }));`;
  const expected = (JSON.parse(await readFile(vectors, 'utf8')) as { bucket: number }[]).map(({ bucket }) => bucket);
  const told = JSON.parse(await runHere('vectors.mjs', program, vectors)) as { buckets: number[]; covered: number[] };
  assert.deepEqual(told.buckets, expected);
  assert.deepEqual(
    told.covered,
    expected.filter((bucket) => bucket < 1000 || bucket === 9000),
  );
});

test('its types hold for whoever checks strictly, with those of Node or of the browser', async () => {
  const program = `
    import { bucketOf, coveredBy, createClient, SegmentdError, type Client, type Happening } from '@segmentd/client';
    export async function use(client: Client): Promise<void> {
      const isIn: boolean = await client.isIn('1', 'A', {}, { timeoutMs: 100, signal: undefined });
      const { segments } = await client.segmentsOf('1', { last_revision: isIn });
      const ranges: [number, number][] = (await client.segments.get('A')).ranges;
      if (coveredBy(ranges, bucketOf('A', '1'))) await client.change('1', { add: segments, ttl_seconds: 60 }, { retry: true });
      for await (const happening of client.follow()) tell(happening);
      // @ts-expect-error a field of another name
      await client.change('1', { ttl: 60 });
      // @ts-expect-error no such code
      try { await client.why('1', 'A'); } catch (error) { if (error instanceof SegmentdError) error.code === 'no_such_code'; }
    }
    const tell = (happening: Happening): string => happening.type === 'segment' ? happening.slug : happening.user_id;
    export const client: Client = createClient({ url: 'http://127.0.0.1', key: 'k' });`;
  await writeFile(join(app, 'program.ts'), program);
  await writeFile(join(app, 'package.json'), '{ "type": "module" }');
  const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
  const types = fileURLToPath(new URL('../../node_modules/@types', import.meta.url));
  const common = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext'];
  for (const world of [
    ['--lib', 'es2023,dom', '--types', ''],
    ['--lib', 'es2023', '--typeRoots', types, '--types', 'node', '--skipLibCheck'],
  ])
    await run(process.execPath, [tsc, ...common, ...world, 'program.ts'], { cwd: app }).catch((error: { stdout: string }) =>
      assert.fail(error.stdout),
    );
});

test('is under 5 kB for a browser, minified and compressed, and a percentage alone under 1 kB', async () => {
  await writeFile(join(app, 'percentage.mjs'), `export { bucketOf, coveredBy } from '@segmentd/client';`);
  const whole = await bundled(join(installed, 'dist/client/src/index.js'));
  const percentage = await bundled(join(app, 'percentage.mjs'));
  assert.ok(whole < 5_000, `${whole} bytes`);
  assert.ok(percentage < 1_000, `${percentage} bytes`);
});

/** The bytes of a bundle for browsers, with gzip. It must stand alone: whatever it would import, Node's own modules too, fails. */
async function bundled(input: string): Promise<number> {
  await using bundle = await rolldown({ input, platform: 'browser' });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  assert.deepEqual(output.length, 1);
  assert.deepEqual([...output[0].imports, ...output[0].dynamicImports], []);
  return gzipSync(output[0].code, { level: 9 }).length;
}
