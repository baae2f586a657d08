import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ReadingOptions } from '../../src/app.ts';
import { type Call, startApp } from '../support/app.ts';
import { findRedis } from '../support/redis.ts';
import { until } from '../support/service.ts';

/** What every reader promises, whatever it reads from. */
const redis = await findRedis();
const readers: { reading: Partial<ReadingOptions>; skip: string | false }[] = [
  { reading: { cache: 'off' }, skip: false },
  { reading: { cache: 'snapshot' }, skip: false },
  { reading: { cache: 'redis', redisUrl: redis.url }, skip: redis.skip },
];

for (const { reading, skip } of readers) {
  describe(`the reader of CACHE=${reading.cache}`, { skip }, async () => {
    const { call, another } = await startApp({ reading });
    const other = await another();
    await call('POST', '/v1/segments', { slug: 'A' });
    await call('POST', '/v1/segments', { slug: 'B' });
    await call('POST', '/v1/segments', { slug: 'ALL', percent: 100 });
    if (reading.cache === 'snapshot') await until(() => isFromMemory(other), 'the snapshot to be loaded');

    const read = async (from: Call, userId: string, query = '') =>
      (await from('GET', `/v1/users/${userId}/segments${query}`)).body;
    const change = async (by: Call, userId: string, body: object) =>
      (await by('PATCH', `/v1/users/${userId}/segments`, body)).body;
    const sees = (from: Call, userId: string, segments: string[] | null) =>
      until(
        async () => JSON.stringify((await read(from, userId)).segments) === JSON.stringify(segments),
        `${userId} to be in ${String(segments)}`,
      );

    test('tells where a user is whom nobody ever named: in what takes everybody', async () => {
      for (const from of [call, other]) await sees(from, 'nobody', ['ALL']);
      const { body } = await call('GET', '/v1/users/nobody/segments');
      assert.deepEqual(Object.keys(body), ['user_id', 'segments', 'as_of', 'revision']);
    });

    test('says how old the answer is, in whole seconds', async () => {
      const { headers } = await call('GET', '/v1/users/nobody/segments');
      assert.match(String(headers.age), /^[0-9]$/);
      assert.equal((await call('GET', '/v1/users/nobody/segments?last_revision=true')).headers.age, '0');
    });

    test('shows a change at once to whoever reads where it was made', async () => {
      for (let i = 0; i < 20; i++) {
        const changed = await change(call, '1000', i % 2 ? { remove: ['A'] } : { add: ['A', 'B'] });
        const now = await read(call, '1000');
        assert.deepEqual(now.segments, changed.segments);
        assert.ok(BigInt(now.revision) >= BigInt(changed.revision));
      }
    });

    test('shows a change elsewhere soon, and at once to who asks for its revision', async () => {
      for (let i = 0; i < 20; i++) {
        const changed = await change(call, '1001', i % 2 ? { remove: ['A'] } : { add: ['A'] });
        const asked = await read(other, '1001', `?min_revision=${changed.revision}`);
        assert.deepEqual(asked.segments, changed.segments);
      }
      await change(call, '1001', { add: ['B'] });
      await sees(other, '1001', ['ALL', 'B']);
    });

    test('a change of a segment is seen by who asks for its revision, and soon by everybody', async () => {
      const { headers } = await call('PATCH', '/v1/segments/ALL', { percent: 0 });
      assert.equal((await read(other, 'nobody', `?min_revision=${String(headers.revision)}`)).segments, null);
      for (const from of [call, other]) await sees(from, 'nobody', null);
      await call('PATCH', '/v1/segments/ALL', { percent: 100 });
      for (const from of [call, other]) await sees(from, 'nobody', ['ALL']);
    });

    test('a revision that a read gave is good to ask for, here and elsewhere, and what is read does not go back', async () => {
      for (let i = 0; i < 20; i++) {
        await change(i % 3 ? call : other, '1002', i % 2 ? { remove: ['B'] } : { add: ['B'] });
        const first = await read(call, '1002');
        const again = await call('GET', `/v1/users/1002/segments?min_revision=${first.revision}`);
        const elsewhere = await other('GET', `/v1/users/1002/segments?min_revision=${first.revision}`);
        assert.deepEqual([again.status, elsewhere.status], [200, 200]);
        assert.deepEqual(elsewhere.body.segments, (await read(other, '1002', '?last_revision=true')).segments);
      }
    });

    test('a revision that has not come yet, and one that is none, are refused', async () => {
      const later = String(BigInt(Date.now() + 3_600_000) * 1000n);
      for (const revision of [later, 'x', '-1', '01', '']) {
        const { status, body } = await call('GET', `/v1/users/1/segments?min_revision=${revision}`);
        assert.deepEqual([status, body.code, body.errors[0].path], [400, 'invalid_request', 'min_revision']);
        const lookup = await call('POST', '/v1/lookup', { user_ids: ['1'], min_revision: revision });
        assert.deepEqual([lookup.status, lookup.body.errors[0].path], [400, 'min_revision']);
      }
    });

    test('a membership ends at its moment, in every process, and never comes back', async () => {
      await change(call, '1003', { add: ['B'] });
      const endsAt = Date.now() + 400;
      await change(call, '1003', { add: ['A'], expires_at: new Date(endsAt).toISOString() });
      await sees(other, '1003', ['A', 'ALL', 'B']);
      const over = new Set<Call>();
      while (Date.now() < endsAt + 300) {
        for (const from of [call, other]) {
          const askedAt = Date.now();
          const isIn = (await read(from, '1003')).segments.includes('A') as boolean;
          assert.ok(!(isIn && over.has(from)), 'it came back');
          assert.ok(!(isIn && askedAt > endsAt + 100), 'it did not end');
          assert.ok(isIn || Date.now() >= endsAt, 'it ended too early');
          if (!isIn) over.add(from);
        }
      }
      assert.equal(over.size, 2);
    });

    test('keeps out of a percentage whom somebody took out, and in whom somebody put in', async () => {
      const { headers } = await call('POST', '/v1/segments', { slug: 'HALF', percent: 50 });
      const all = Array.from({ length: 40 }, (_, i) => `p${i}`);
      const isIn = await Promise.all(
        all.map(
          async (userId) =>
            (await read(call, userId, `?min_revision=${String(headers.revision)}`)).segments.includes('HALF') as boolean,
        ),
      );
      const [inside, outside] = [all[isIn.indexOf(true)]!, all[isIn.indexOf(false)]!];
      await change(call, inside, { remove: ['HALF'] });
      await change(call, outside, { add: ['HALF'] });
      for (const from of [call, other]) {
        await sees(from, inside, ['ALL']);
        await sees(from, outside, ['ALL', 'HALF']);
      }
      await call('DELETE', '/v1/segments/HALF');
    });

    test('takes everybody out of a segment that is deleted, and puts nobody into the next of that name', async () => {
      await call('POST', '/v1/segments', { slug: 'GONE' });
      await change(call, '1004', { add: ['GONE'] });
      await sees(other, '1004', ['ALL', 'GONE']);
      await call('DELETE', '/v1/segments/GONE');
      for (const from of [call, other]) await sees(from, '1004', ['ALL']);
      const { headers } = await call('POST', '/v1/segments', { slug: 'GONE' });
      for (const from of [call, other])
        assert.deepEqual((await read(from, '1004', `?min_revision=${String(headers.revision)}`)).segments, ['ALL']);
    });

    test('looks up many users at once, in the order asked, whoever is asked for twice twice', async () => {
      const { revision } = await change(call, 'l1', { add: ['A'] });
      await call('PATCH', '/v1/segments/ALL', { percent: 0 });
      for (const from of [call, other]) {
        const user_ids = ['l2', 'l1', 'l2', '"\\', 'l1'];
        const freshest = await from('POST', '/v1/lookup', { user_ids, last_revision: true });
        await sees(from, 'l1', ['A']);
        const { status, body } = await from('POST', '/v1/lookup', { user_ids, min_revision: revision });
        assert.equal(status, 200);
        assert.deepEqual(
          body.users.map((user: { user_id: string }) => user.user_id),
          user_ids,
        );
        assert.deepEqual(body.users, freshest.body.users);
        for (const { user_id, segments } of body.users as { user_id: string; segments: string[] | null }[])
          assert.deepEqual(segments, (await read(from, encodeURIComponent(user_id), '?last_revision=true')).segments);
      }
      await call('PATCH', '/v1/segments/ALL', { percent: 100 });
    });

    test('looks up a thousand users, and refuses none, more, and ids that are none', async () => {
      const user_ids = Array.from({ length: 1000 }, (_, i) => `t${i % 900}`);
      const found = await call('POST', '/v1/lookup', { user_ids });
      assert.equal(found.status, 200, found.text);
      assert.equal(found.body.users.length, 1000);
      for (const [wrong, path] of [
        [{ user_ids: [] }, 'user_ids'],
        [{ user_ids: [...user_ids, 'one more'] }, 'user_ids'],
        [{}, 'user_ids'],
        [{ user_ids: ['a', '.'] }, 'user_ids/1'],
        [{ user_ids: [7] }, 'user_ids/0'],
        [{ user_ids: ['a'], at: '2026-01-01T00:00:00Z' }, 'at'],
        [{ user_ids: ['a'], last_revision: 'true' }, 'last_revision'],
      ] as const) {
        const { status, body } = await call('POST', '/v1/lookup', wrong);
        assert.deepEqual(
          [status, body.code, body.errors[0].path],
          [400, 'invalid_request', path],
          JSON.stringify(wrong).slice(0, 60),
        );
      }
    });
  });
}

async function isFromMemory(call: Call): Promise<boolean> {
  const { body } = await call('GET', '/metrics');
  return /^segmentd_snapshot_age_seconds [0-9.e-]+$/m.test(body as string);
}
