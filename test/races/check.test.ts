import assert from 'node:assert/strict';
import { test } from 'node:test';
import { momentOf } from '../../src/timeline/revision.ts';
import { startApp } from '../support/app.ts';
import { type Acknowledged, brokenAcknowledgements } from './check.ts';

test('a change that changed nothing is right in the millisecond after what it rests on, where an end came just then', async () => {
  const started = await startApp();
  const { call, database } = started;
  for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
  await call('PATCH', '/v1/users/u/segments', { add: ['A'], ttl_seconds: 60 });
  const { body: last } = await call('PATCH', '/v1/users/u/segments', { add: ['B'] });
  const at = momentOf(Number(last.revision));
  await database.pool.query(
    `update memberships set ends_at = $1 where user_id = 'u' and segment_id = (select segment_id from segments where slug = 'A')`,
    [new Date(at + 1)],
  );

  const told = (answer: Partial<Acknowledged['answer']>): Acknowledged => ({
    userId: 'u',
    named: ['A'],
    answer: { added: [], removed: ['A'], unchanged: [], segments: ['B'], as_of: last.as_of, revision: last.revision, ...answer },
    answeredAt: at + 5,
  });
  assert.deepEqual(await brokenAcknowledgements(started, [told({})]), []);
  for (const wrong of [{ segments: ['A', 'B'] }, { segments: null }, { added: ['A'], removed: [] }])
    assert.equal((await brokenAcknowledgements(started, [told(wrong)])).length, 1, JSON.stringify(wrong));
});
