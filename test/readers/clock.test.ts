import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { ReadingOptions } from '../../src/app.ts';
import { startApp } from '../support/app.ts';
import { findRedis } from '../support/redis.ts';

const redis = await findRedis();
const readers: [Partial<ReadingOptions>, string | false][] = [
  [{ cache: 'off' }, false],
  [{ cache: 'snapshot' }, false],
  [{ cache: 'redis', redisUrl: redis.url }, redis.skip],
];

/** By a clock that nobody here touches. */
const now = () => performance.timeOrigin + performance.now();

/** How far this machine's clock is off, by how long the test has run; the last ones step. */
const offsets: Record<string, (ranMs: number) => number> = {
  'is 300 ms ahead': () => 300,
  'is 300 ms behind': () => -300,
  'steps to and fro': (ranMs) => [0, -5_000, 2_000, -300, 300][Math.floor(ranMs / 40) % 5]!,
  'was set an hour forward': (ranMs) => (ranMs > 200 ? 3_600_000 : 0),
};

for (const [reading, skip] of readers) {
  for (const [what, offset] of Object.entries(offsets)) {
    test(`CACHE=${reading.cache}: no membership comes back when this machine's clock ${what}`, { skip }, async () => {
      const { call, another } = await startApp({ reading });
      const other = await another();
      await call('POST', '/v1/segments', { slug: 'A' });
      const begunAt = now();
      const wall = mock.method(Date, 'now', () => Math.floor(now() + offset(now() - begunAt)));
      try {
        const endsAt = Math.floor(now()) + 400;
        const added = await call('PATCH', '/v1/users/1000/segments', { add: ['A'], expires_at: new Date(endsAt).toISOString() });
        assert.equal(added.status, 200);
        const url = `/v1/users/1000/segments?min_revision=${added.body.revision as string}`;
        const reads = [() => call('GET', url), () => other('GET', url), () => call('GET', `${url}&last_revision=true`)];
        const over = new Set<unknown>();
        while (now() < endsAt + 200) {
          for (const read of reads) {
            const { body, status } = await read();
            assert.equal(status, 200);
            const isIn = body.segments !== null;
            assert.ok(!(isIn && over.has(read)), 'it came back');
            assert.ok(isIn || now() >= endsAt, `it ended ${endsAt - now()} ms too early`);
            if (!isIn) over.add(read);
          }
        }
        assert.equal(over.size, reads.length, 'it did not end');
      } finally {
        wall.mock.restore();
      }
    });
  }
}
