import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { SegmentdError } from '../../client/src/index.ts';
import { until } from '../support/service.ts';
import { all, startClient } from './calling.ts';

const { client, sent, connect, keys } = await startClient({ imports: {} });

before(async () => {
  await client.segments.create({ slug: 'VOICE', description: 'Voice messages' });
  await client.segments.create({ slug: 'DISCOUNT' });
  await client.segments.create({ slug: 'CARD', percent: 10 });
});

test('a user is put in, found, and taken out', async () => {
  const changed = await client.change('1000', { add: ['VOICE', 'DISCOUNT'], ttl_seconds: 3600 });
  assert.deepEqual(changed.added, ['VOICE', 'DISCOUNT']);
  assert.equal(await client.isIn('1000', 'VOICE'), true);
  assert.equal(await client.isIn('1000', 'NO_SUCH'), false);
  await client.change('1000', { remove: ['VOICE'] });
  const { user_id, segments, revision, age_seconds, is_last_known } = await client.segmentsOf('1000');
  assert.deepEqual([user_id, segments, is_last_known], ['1000', ['DISCOUNT'], false]);
  assert.match(revision, /^\d{16}$/);
  assert.ok(age_seconds >= 0 && age_seconds < 10, String(age_seconds));
});

test('who is in nothing has no segments, rather than null', async () => {
  assert.deepEqual((await client.segmentsOf('nobody')).segments, []);
});

test('the past is asked by its moment', async () => {
  const { as_of } = await client.change('past', { add: ['VOICE'] });
  await client.change('past', { remove: ['VOICE'] });
  const { segments, as_of: answered } = await client.segmentsOf('past', { at: as_of });
  assert.deepEqual([segments, answered], [['VOICE'], as_of]);
  assert.equal(await client.isIn('past', 'VOICE', { at: as_of }), true);
  assert.equal(await client.isIn('past', 'VOICE'), false);
});

test('why, what was said by hand, and the history page by page', async () => {
  const from = (await client.change('told', { add: ['VOICE', 'DISCOUNT'] })).as_of;
  await client.change('told', { remove: ['VOICE'] });
  const why = await client.why('told', 'DISCOUNT');
  assert.deepEqual([why.member, why.because, why.changed_by], [true, 'added', 'writer']);
  assert.equal((await client.why('told', 'VOICE', { at: from })).member, true);
  assert.deepEqual(
    (await all(client.memberships('told'))).map(({ segment }) => segment),
    ['DISCOUNT'],
  );
  assert.deepEqual(
    (await all(client.memberships('told', { ended: true }))).map(({ segment }) => segment),
    ['VOICE'],
  );
  sent.length = 0;
  const events = await all(client.history('told', { from, to: '9999-01-01T00:00:00Z', limit: 1 }));
  assert.deepEqual(
    events.map(({ operation, segment }) => `${operation} ${segment}`),
    ['add DISCOUNT', 'add VOICE', 'remove VOICE'],
  );
  assert.equal(sent.length, 3, 'a request a page');
});

test('a page is read when its turn comes, not before', async () => {
  sent.length = 0;
  for await (const { slug } of client.segments.list({ limit: 1 })) if (slug === 'CARD') break;
  assert.equal(sent.length, 1);
});

test('segments are listed, read, changed, looked at before, planned and deleted', async () => {
  const made = await client.segments.create({ slug: 'SEARCH', percent: 10 });
  assert.deepEqual(made.ranges, [[0, 1000]]);
  const preview = await client.segments.preview('SEARCH', { percent: 20 });
  assert.deepEqual(
    [preview.percent, preview.buckets],
    [
      { from: 10, to: 20 },
      { gained: 1000, lost: 0 },
    ],
  );
  assert.equal((await client.segments.change('SEARCH', { description: 'New' })).description, 'New');
  const planned = await client.segments.change('SEARCH', { percent: 50, effective_at: '2030-01-01T00:00:00Z' });
  await client.segments.cancelScheduled('SEARCH', planned.scheduled[0]!.id);
  const { scheduled, members } = await client.segments.get('SEARCH');
  assert.deepEqual([scheduled, members], [[], 0]);
  const slugs = async () => (await all(client.segments.list({ limit: 2 }))).map(({ slug }) => slug);
  assert.deepEqual(await slugs(), ['CARD', 'DISCOUNT', 'SEARCH', 'VOICE']);
  await client.segments.delete('SEARCH');
  assert.deepEqual(await slugs(), ['CARD', 'DISCOUNT', 'VOICE']);
});

test('members and how many there were', async () => {
  const from = new Date(Date.now() - 60_000).toISOString();
  await client.segments.create({ slug: 'COUNTED' });
  for (const userId of ['c2', 'c1', 'c3']) await client.change(userId, { add: ['COUNTED'] });
  const members = await all(client.segments.members('COUNTED', { limit: 2 }));
  assert.deepEqual(
    members.map(({ user_id }) => user_id),
    ['c1', 'c2', 'c3'],
  );
  const points = await client.segments.timeline('COUNTED', { from, to: new Date(Date.now() + 60_000).toISOString(), points: 2 });
  assert.deepEqual(
    points.map(({ members }) => members),
    [0, 3],
  );
});

test('links to reports can be followed without a key', async () => {
  const month = new Date().toISOString().slice(0, 7);
  await client.change('reported', { add: ['VOICE'] });
  for (const { url } of [await client.report('reported', { month }), await client.reportOfAll({ month, segment: 'VOICE' })])
    assert.match(await (await fetch(url)).text(), /^user_id,segment,operation,at,cause\r\n[^]*reported,VOICE,add,/);
});

test('an array of ids is imported, with its progress, and the client then reads at least that', async () => {
  const ids = Array.from({ length: 2_000 }, (_, i) => `i${i}`);
  const job = await client.importUsers('VOICE', [...ids, 'i0', 'naïve'], { operation: 'add' });
  const states = await all(client.progress(job));
  const { state, received, applied, rejected, revision } = states.at(-1)!;
  assert.deepEqual([state, received, applied, rejected], ['done', 2_002, 2_000, 2]);
  assert.equal(await client.imports.rejects(job.id), 'line,value,reason\r\n2001,i0,duplicate\r\n2002,naïve,invalid_user_id\r\n');
  sent.length = 0;
  assert.equal(await client.isIn('i1999', 'VOICE'), true);
  assert.ok((sent[0]!.body as { min_revision: string }).min_revision >= revision!);
  assert.equal((await client.imports.get(job.id)).state, 'done');
  assert.deepEqual(
    (await all(client.imports.list({ segment: 'VOICE' }))).map(({ id }) => id),
    [job.id],
  );
  assert.equal((await client.imports.cancel(job.id)).state, 'done');
});

test('an import that the caller looks at by itself is read too, by whatever call it was told', async () => {
  const file = [['l1'], { operation: 'add' }] as const;
  const { id } = await client.importUsers('VOICE', ...file, { idempotencyKey: 'looked at' });
  await until(async () => (await client.imports.get(id)).state === 'done', 'the import');
  const { revision } = await client.imports.get(id);
  for (const tell of [
    (other: typeof client) => other.imports.get(id),
    (other: typeof client) => other.imports.cancel(id),
    (other: typeof client) => other.importUsers('VOICE', ...file, { idempotencyKey: 'looked at' }),
  ]) {
    const { client: other, sent } = connect();
    await tell(other);
    assert.equal(await other.isIn('l1', 'VOICE'), true);
    assert.equal((sent.at(-1)!.body as { min_revision?: string }).min_revision, revision);
  }
});

test('a file is imported: its bytes, a blob, or a stream', async () => {
  const text = 'user_id\nf1\nf2\n';
  const files = [new TextEncoder().encode(text), new Blob([text]), new Blob([text]).stream()];
  for (const file of files) {
    const job = await client.importUsers('DISCOUNT', file, { operation: 'replace' });
    assert.equal((await all(client.progress(job))).at(-1)!.received, 2);
  }
  assert.deepEqual(
    (await all(client.segments.members('DISCOUNT'))).map(({ user_id }) => user_id),
    ['f1', 'f2'],
  );
});

test('an id with a line break in it is never made two users of, nor an empty one passed over', async () => {
  sent.length = 0;
  for (const odd of ['b\nc', '']) await assert.rejects(client.importUsers('VOICE', ['a', odd], { operation: 'add' }), RangeError);
  assert.equal(sent.length, 0);
});

test('an error has its code, its status, its request and each thing that is wrong', async () => {
  const failure = await client.change('1000', { add: ['VOICE', 'NO_SUCH'] }).catch((error: unknown) => error);
  assert.ok(failure instanceof SegmentdError);
  const { code, status, requestId, errors, message } = failure;
  assert.deepEqual([code, status, message], ['segment_not_found', 404, 'There is no segment NO_SUCH.']);
  assert.deepEqual(errors, [{ path: 'add/1', message }]);
  assert.match(requestId, /^[0-9a-f-]{36}$/);
  await assert.rejects(client.segments.create({ slug: 'VOICE' }), { code: 'segment_exists', status: 409 });
  await assert.rejects(connect({ key: keys.read }).client.change('1000', { add: ['VOICE'] }), { code: 'forbidden' });
  await assert.rejects(connect({ key: 'none' }).client.isIn('1000', 'VOICE'), { code: 'unauthorized' });
});

test('what an error says besides is there', async () => {
  for (const slug of ['SPRING_10', 'SPRING_20']) await client.segments.create({ slug, exclusive_group: 'SPRING' });
  await client.change('both', { add: ['SPRING_10'] });
  await assert.rejects(client.change('both', { add: ['SPRING_20'] }), ({ problem }: SegmentdError) => {
    assert.deepEqual(problem.conflicts, ['SPRING_10']);
    return true;
  });
});

test('an id that an address would fold away asks about nothing else', async () => {
  sent.length = 0;
  for (const odd of ['.', '..', '']) {
    for (const call of [
      client.change(odd, { add: ['VOICE'] }),
      client.segmentsOf(odd, { at: '2026-01-01T00:00:00Z' }),
      client.why(odd, 'VOICE'),
      client.report(odd, { month: '2026-01' }),
      all(client.history(odd, { month: '2026-01' })),
      client.segments.get(odd),
      client.segments.change(odd, { percent: 1 }),
      client.segments.preview(odd, { percent: 1 }),
      client.segments.delete(odd),
      client.importUsers(odd, ['1'], { operation: 'replace' }),
      client.imports.get(odd),
      client.imports.rejects(odd),
      client.imports.cancel(odd),
    ])
      await assert.rejects(call, RangeError);
  }
  assert.equal(sent.length, 0);
  await client.change('a/../b?c#d%2e', { add: ['VOICE'] });
  assert.equal(await client.isIn('a/../b?c#d%2e', 'VOICE'), true);
  assert.equal((await client.why('a/../b?c#d%2e', 'VOICE')).user_id, 'a/../b?c#d%2e');
});

test('progress ends with its signal', async () => {
  const leaving = new AbortController();
  const job = await client.importUsers('VOICE', ['p1'], { operation: 'add' });
  await until(async () => (await client.imports.get(job.id)).state === 'done', 'the import');
  leaving.abort(new Error('gone'));
  await assert.rejects(all(client.progress(job, { signal: leaving.signal })), /gone/);
});
