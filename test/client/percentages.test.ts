import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketOf, coveredBy, createClient } from '../../client/src/index.ts';
import * as bucket from '../../src/rollout/bucket.ts';
import * as ranges from '../../src/rollout/ranges.ts';
import { startClient } from './calling.ts';

test('the client decides by the very functions of the service', () => {
  assert.equal(bucketOf, bucket.bucketOf);
  assert.equal(coveredBy, ranges.covers);
});

test('a percentage decided by the client is the answer of the service, in a group too', async () => {
  const { url, keys } = await startClient();
  const client = createClient({ url, key: keys.write });
  await client.segments.create({ slug: 'ALONE', percent: 33.33 });
  await client.segments.create({ slug: 'FIRST', percent: 20, exclusive_group: 'GROUP' });
  await client.segments.create({ slug: 'SECOND', percent: 50, exclusive_group: 'GROUP' });
  const users = Array.from({ length: 300 }, (_, i) => `user-${i}`);
  const answers = await client.lookup(users);
  for (const slug of ['ALONE', 'FIRST', 'SECOND']) {
    const { salt, ranges } = await client.segments.get(slug);
    const covered = users.filter((user) => coveredBy(ranges, bucketOf(salt, user)));
    const isIn = users.filter((_, i) => answers[i]!.segments.includes(slug));
    assert.deepEqual(covered, isIn);
    assert.ok(isIn.length > 0);
  }
});
