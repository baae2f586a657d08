import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as others } from 'node:timers/promises';
import type { ReadingOptions } from '../../src/app.ts';
import { bucketOf } from '../../src/rollout/bucket.ts';
import { type Call, startApp } from '../support/app.ts';
import { findRedis } from '../support/redis.ts';
import { until } from '../support/service.ts';

/** What every reader promises of exclusive groups, of percentages to come and of planned starts, whatever it reads from. */
const redis = await findRedis();
const readers: { reading: Partial<ReadingOptions>; skip: string | false }[] = [
  { reading: { cache: 'off' }, skip: false },
  { reading: { cache: 'snapshot' }, skip: false },
  { reading: { cache: 'redis', redisUrl: redis.url }, skip: redis.skip },
];

for (const { reading, skip } of readers) {
  describe(`groups and plans by the reader of CACHE=${reading.cache}`, { skip }, async () => {
    const { call, another } = await startApp({ reading });
    const other = await another();
    for (const [slug, percent] of [
      ['P1', 60],
      ['P2', 40],
      ['P3', 0],
    ] as const)
      await call('POST', '/v1/segments', { slug, percent, exclusive_group: 'P' });
    if (reading.cache === 'snapshot') await until(() => isFromMemory(other), 'the snapshot to be loaded');

    /** Whom P1 takes. */
    const users = Array.from({ length: 60 }, (_, i) => `u${i}`).filter((userId) => bucketOf('P', userId) < 6000);
    const someone = () => users.pop()!;
    const change = async (by: Call, userId: string, body: object) => {
      const answer = await by('PATCH', `/v1/users/${userId}/segments`, body);
      assert.equal(answer.status, 200, answer.text);
      return answer.body;
    };
    const read = async (from: Call, userId: string, query = ''): Promise<string[] | null> =>
      (await from('GET', `/v1/users/${userId}/segments${query}`)).body.segments;
    /** At once where the revision is asked for, soon where not; a lookup agrees. */
    const see = async (userId: string, segments: string[] | null, revision?: string) => {
      for (const from of [call, other]) {
        if (revision !== undefined) assert.deepEqual(await read(from, userId, `?min_revision=${revision}`), segments);
        const seen = async () => JSON.stringify(await read(from, userId)) === JSON.stringify(segments);
        await until(seen, `${userId} to be in ${String(segments)}`);
        const { body } = await from('POST', '/v1/lookup', { user_ids: [userId] });
        assert.deepEqual(body.users, [{ user_id: userId, segments }]);
      }
    };
    /** Asks both until well after the moment: what is seen changes once, not before it and hardly after it. */
    const turns = async (userId: string, at: number, before: string[] | null, after: string[] | null) => {
      const turned = new Set<Call>();
      while (Date.now() < at + 200) {
        await others(); // memory is followed in this process too, and answers without ever giving way
        for (const from of [call, other]) {
          const askedAt = Date.now();
          const seen = await read(from, userId);
          const isAfter = JSON.stringify(seen) === JSON.stringify(after);
          if (!isAfter) assert.deepEqual(seen, before, 'neither what was nor what is to be');
          assert.ok(isAfter || !turned.has(from), 'it went back');
          assert.ok(isAfter || askedAt <= at + 100, 'it did not happen');
          assert.ok(!isAfter || Date.now() >= at, 'it happened too early');
          if (isAfter) turned.add(from);
        }
      }
      assert.equal(turned.size, 2);
    };

    test('percentages yield to who is in by hand in another, and reach them again', async () => {
      const user = someone();
      await see(user, ['P1']);
      const { revision } = await change(call, user, { add: ['P3'], replace_in_group: true });
      await see(user, ['P3'], revision);
      const replaced = await change(other, user, { add: ['P2'], replace_in_group: true });
      await see(user, ['P2'], replaced.revision);
      const removed = await change(call, user, { remove: ['P2'] });
      await see(user, ['P1'], removed.revision);
    });

    test('they reach them again at the very moment of an end', async () => {
      const user = someone();
      const at = Date.now() + 300;
      await change(call, user, { add: ['P3'], replace_in_group: true, expires_at: new Date(at).toISOString() });
      await see(user, ['P3']);
      await turns(user, at, ['P3'], ['P1']);
    });

    test('a planned start takes over from a percentage of its group at its very moment', async () => {
      const user = someone();
      const at = Date.now() + 300;
      const { revision } = await change(call, user, { add: ['P3'], starts_at: new Date(at).toISOString() });
      assert.deepEqual(await read(other, user, `?min_revision=${revision}`), ['P1']);
      await turns(user, at, ['P1'], ['P3']);
    });

    test('a planned start ends by its TTL, counted from the start', async () => {
      const user = someone();
      const at = Date.now() + 200;
      await change(call, user, {
        add: ['P3'],
        starts_at: new Date(at).toISOString(),
        expires_at: new Date(at + 400).toISOString(),
      });
      await turns(user, at, ['P1'], ['P3']);
      await turns(user, at + 400, ['P3'], ['P1']);
    });

    test('a plan that is taken back never begins', async () => {
      const user = someone();
      const at = Date.now() + 300;
      await change(call, user, { add: ['P3'], starts_at: new Date(at).toISOString() });
      const { revision } = await change(other, user, { remove: ['P3'] });
      await see(user, ['P1'], revision);
      await until(() => Date.now() > at + 50, 'the moment to pass');
      await see(user, ['P1']);
    });

    test('a percentage to come moves everybody at its very moment, out of one of the group and into another', async () => {
      const [known, unknown, byHand] = [someone(), someone(), someone()];
      await change(call, known, { add: ['P1'] });
      await change(call, known, { add: ['P1'], expires_at: new Date(Date.now() + 50).toISOString() });
      await change(call, byHand, { add: ['P1'] });
      const at = Date.now() + 600;
      const effective_at = new Date(at).toISOString();
      for (const [slug, percent] of [
        ['P1', 0],
        ['P3', 60],
      ] as const) {
        const { status, text } = await call('PATCH', `/v1/segments/${slug}`, { percent, effective_at });
        assert.equal(status, 200, text);
      }
      await see(unknown, ['P1']);
      await Promise.all([turns(unknown, at, ['P1'], ['P3']), turns(known, at, ['P1'], ['P3'])]);
      await see(byHand, ['P1']);
    });
  });
}

async function isFromMemory(call: Call): Promise<boolean> {
  const { body } = await call('GET', '/metrics');
  return /^segmentd_snapshot_age_seconds [0-9.e-]+$/m.test(body as string);
}
