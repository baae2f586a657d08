import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { bucketOf } from '../src/rollout/bucket.ts';
import { cloneDatabase } from './support/database.ts';

// What docs/rollout.md tells people to paste, run against vectors that another implementation made.

const text = await readFile(new URL('../docs/rollout.md', import.meta.url), 'utf8');
const vectors = JSON.parse(await readFile(new URL('../docs/rollout-vectors.json', import.meta.url), 'utf8')) as {
  salt: string;
  user_id: string;
  bucket: number;
}[];
const expected = vectors.map(({ bucket }) => bucket);
const folder = await mkdtemp(join(tmpdir(), 'segmentd-rollout-'));
after(() => rm(folder, { recursive: true, force: true }));

/** The one code block of that language. */
function blockOf(language: string): string {
  const blocks = [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))];
  assert.equal(blocks.length, 1, language);
  return blocks[0]![1]!;
}

test('there are vectors of every length modulo 4, of many kinds of ids', () => {
  assert.ok(vectors.length >= 60);
  const lengths = new Set(vectors.map(({ salt, user_id }) => `${salt}:${user_id}`.length % 4));
  assert.equal(lengths.size, 4);
});

test('the service has the documented buckets', () => {
  assert.deepEqual(
    vectors.map(({ salt, user_id }) => bucketOf(salt, user_id)),
    expected,
  );
});

test('the TypeScript of the document has them', async () => {
  const path = join(folder, 'bucket.ts');
  await writeFile(path, blockOf('ts'));
  const documented = (await import(pathToFileURL(path).href)) as { bucketOf: typeof bucketOf };
  assert.deepEqual(
    vectors.map(({ salt, user_id }) => documented.bucketOf(salt, user_id)),
    expected,
  );
});

test('the SQL of the document has them', async () => {
  const { pool } = await cloneDatabase();
  await pool.query(blockOf('sql'));
  const { rows } = await pool.query<{ bucket: number }>(
    `select segmentd_bucket(salt, user_id) as bucket
       from unnest($1::text[], $2::text[]) with ordinality v (salt, user_id, n) order by n`,
    [vectors.map(({ salt }) => salt), vectors.map(({ user_id }) => user_id)],
  );
  assert.deepEqual(
    rows.map(({ bucket }) => bucket),
    expected,
  );
});

const hasPython = !spawnSync('python3', ['--version']).error;
test('the Python of the document has them', { skip: hasPython ? false : 'python3 is not installed' }, async () => {
  const path = join(folder, 'bucket.py');
  const run = 'import json, sys\nprint(json.dumps([bucket_of(v["salt"], v["user_id"]) for v in json.load(sys.stdin)]))\n';
  await writeFile(path, `${blockOf('python')}\n${run}`);
  assert.deepEqual(JSON.parse(execFileSync('python3', [path], { input: JSON.stringify(vectors), encoding: 'utf8' })), expected);
});

test('the table of the document shows vectors of the file', () => {
  const shown = [...text.matchAll(/^\| `(.+)` \| `(.+)` \| (\d+) \|$/gm)].map(([, salt, user_id, bucket]) => ({
    salt,
    user_id,
    bucket: Number(bucket),
  }));
  assert.ok(shown.length >= 5);
  for (const one of shown)
    assert.ok(
      vectors.some((vector) => JSON.stringify(vector) === JSON.stringify(one)),
      JSON.stringify(one),
    );
});
