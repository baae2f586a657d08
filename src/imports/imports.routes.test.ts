import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startApp } from '../../test/support/app.ts';
import { finished, importFile } from '../../test/support/imports.ts';
import { bucketOf } from '../rollout/bucket.ts';

const { call, database } = await startApp({ imports: { batchSize: 3 } });
const segments = async (userId: string) => (await call('GET', `/v1/users/${userId}/segments?last_revision=true`)).body.segments;
const counts = ({ state, received, applied, unchanged, rejected, removed }: Record<string, unknown>) => [
  state,
  received,
  applied,
  unchanged,
  rejected,
  removed,
];

test('puts everybody in, says what it refused with its line, and keeps the good rows', async () => {
  await call('POST', '/v1/segments', { slug: 'A' });
  const file = '\u{feff}user_id\r\nu1\r\n\r\n "u2" \r\nu3,x\r\nu 4\r\nu1\r\nu5';
  const done = await importFile(call, 'A', 'operation=add', file);
  assert.deepEqual(counts(done), ['done', 6, 3, 0, 3, 0]);
  for (const id of ['u1', 'u2', 'u5']) assert.deepEqual(await segments(id), ['A']);
  const { text } = await call('GET', `/v1/imports/${done.id}/rejects`);
  assert.equal(text, 'line,value,reason\r\n5,"u3,x",too_many_columns\r\n6,u 4,invalid_user_id\r\n7,u1,duplicate\r\n');
  const again = await importFile(call, 'A', 'operation=add', gzipSync('u1\nu2\nu5\n'), {
    'content-encoding': 'gzip',
    'content-type': 'text/plain',
  });
  assert.deepEqual(counts(again), ['done', 3, 0, 3, 0, 0]);
  assert.equal(again.revision, null);
});

test('replace makes those in by hand exactly the ones of the file', async () => {
  await call('POST', '/v1/segments', { slug: 'R' });
  await importFile(call, 'R', 'operation=add', 'a\nb\nc\nd\ne\n');
  await importFile(call, 'R', 'operation=add&ttl_seconds=3600', 'x\n');
  const done = await importFile(call, 'R', 'operation=replace', 'c\nx\nz\n');
  assert.deepEqual(counts(done), ['done', 3, 1, 2, 0, 4]);
  const { body } = await call('GET', '/v1/segments/R/members');
  assert.deepEqual(
    body.members.map((one: { user_id: string }) => one.user_id),
    ['c', 'x', 'z'],
  );
  assert.ok(body.members[1].until);
});

test('a file to replace with of which every row would be rejected changes nothing, and one without rows takes all out', async () => {
  await call('POST', '/v1/segments', { slug: 'KEPT' });
  await importFile(call, 'KEPT', 'operation=add', 'a\nb\n');
  const path = '/v1/segments/KEPT/imports?operation=replace';
  for (const [type, text, named] of [
    ['text/csv', '{"type":"/problems/unauthorized","title":"Unauthorized"}\n', /line 1: (too_many_columns|invalid_user_id)/],
    ['text/csv', 'user_id\na;b,c\n', /line 2: too_many_columns, got "a;b,c"/],
    ['text/plain', '\nnot one\n', /line 2: invalid_user_id, got "not one"/],
  ] as const) {
    const { status, body } = await call('POST', path, text, { 'content-type': type });
    assert.deepEqual([status, body.code], [400, 'invalid_request']);
    assert.match(body.detail, named);
  }
  const { body } = await call('GET', '/v1/imports?segment=KEPT');
  assert.equal(body.imports.length, 1, 'of those that were refused there is no trace');
  assert.equal((await call('GET', '/v1/segments/KEPT')).body.members, 2);
  assert.deepEqual(counts(await importFile(call, 'KEPT', 'operation=replace', 'user_id\n')), ['done', 0, 0, 0, 0, 2]);
  assert.equal((await call('GET', '/v1/segments/KEPT')).body.members, 0);
});

test('what is exported and imported again with replace changes nothing, ends, plans and odd ids included', async () => {
  await call('POST', '/v1/segments', { slug: 'X', percent: 20 });
  const odd = ['user_id', 'a,b', '"q"', "o'k", '\\.', '=1+1', '-x', '\\N', 'null', '~!'];
  await importFile(call, 'X', 'operation=add', odd.join('\n'), { 'content-type': 'text/plain' });
  await importFile(call, 'X', 'operation=add&ttl_seconds=900', 'brief\nbriefer\n');
  await call('PATCH', '/v1/users/planned/segments', { add: ['X'], starts_at: '2999-01-01T00:00:00Z' });
  await call('PATCH', '/v1/users/out/segments', { remove: ['X'] });
  const before = await call('GET', '/v1/segments/X/members');
  const exported = await call('GET', '/v1/segments/X/members', undefined, { accept: 'text/csv' });
  assert.equal(exported.headers['content-type'], 'text/csv; charset=utf-8', exported.text);
  const done = await importFile(call, 'X', 'operation=replace', exported.text);
  assert.deepEqual(counts(done), ['done', 12, 0, 12, 0, 0]);
  assert.deepEqual((await call('GET', '/v1/segments/X/members')).body, before.body);
  assert.equal((await call('GET', '/v1/users/planned/memberships')).body.memberships.length, 1);
  assert.equal((await call('GET', '/v1/segments/X/members?limit=5', undefined, { accept: 'text/csv' })).status, 400);
});

test('an end that has passed, a taken group and a deleted segment are told', async () => {
  for (const slug of ['G1', 'G2']) await call('POST', '/v1/segments', { slug, exclusive_group: 'G' });
  await importFile(call, 'G1', 'operation=add', 'g1\ng2\n');
  const refused = await importFile(call, 'G2', 'operation=add', 'g2\ng3\n');
  assert.deepEqual(counts(refused), ['done', 2, 1, 0, 1, 0]);
  assert.match((await call('GET', `/v1/imports/${refused.id}/rejects`)).text, /1,g2,group_conflict/);
  const swapped = await importFile(call, 'G2', 'operation=add&replace_in_group=true', 'g2\ng3\n');
  assert.deepEqual(counts(swapped), ['done', 2, 1, 1, 0, 0]);
  assert.deepEqual(await segments('g2'), ['G2']);
  const { body } = await call('GET', '/v1/users/g2/history?from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z');
  assert.deepEqual(
    body.events.map(({ segment, operation, cause }: Record<string, string>) => `${operation} ${segment} ${cause}`),
    ['add G1 import', 'remove G1 import', 'add G2 import'],
  );
});

test('of users nobody knew those are refused whom the percentage of another one of the group takes, and no others', async () => {
  await call('POST', '/v1/segments', { slug: 'H1', exclusive_group: 'H', percent: 50 });
  await call('POST', '/v1/segments', { slug: 'H2', exclusive_group: 'H' });
  const ids = Array.from({ length: 40 }, (_, i) => `h${i}`).sort();
  const done = await importFile(call, 'H2', 'operation=add', ids.join('\n'));
  const taken = ids.filter((id) => bucketOf('H', id) < 5_000);
  assert.deepEqual(counts(done), ['done', 40, 40 - taken.length, 0, taken.length, 0]);
  const { text } = await call('GET', `/v1/imports/${done.id}/rejects`);
  assert.deepEqual(
    text.trimEnd().split('\r\n').slice(1),
    taken.map((id) => `${ids.indexOf(id) + 1},${id},group_conflict`),
  );
});

test('a removal under a percentage keeps them out, as a request would', async () => {
  await call('POST', '/v1/segments', { slug: 'P', percent: 100 });
  const done = await importFile(call, 'P', 'operation=remove', 'p1\np2\n');
  assert.deepEqual(counts(done), ['done', 2, 2, 0, 0, 0]);
  assert.equal((await call('GET', '/v1/users/p1/segments/P')).body.because, 'excluded');
});

test('an Idempotency-Key makes a repeat answer the first import, and is refused for another one', async () => {
  await call('POST', '/v1/segments', { slug: 'K' });
  const headers = { 'content-type': 'text/plain', 'idempotency-key': 'one' };
  const send = (query: string, file: string) => call('POST', `/v1/segments/K/imports?${query}`, file, headers);
  const first = await send('operation=add', 'a\n');
  assert.equal((await send('operation=add', 'a\n')).body.id, first.body.id);
  for (const [query, file] of [
    ['operation=remove', 'a\n'],
    ['operation=add', 'b\n'],
    ['operation=add&ttl_seconds=5', 'a\n'],
  ] as const) {
    const { status, body } = await send(query, file);
    assert.deepEqual([status, body.code], [409, 'idempotency_key_reused']);
  }
  assert.equal(first.headers.location, `/v1/imports/${first.body.id}`);
});

test('a repeat under an Idempotency-Key answers the first import also once its segment is gone, or another one has the slug', async () => {
  for (const slug of ['L', 'OTHER']) await call('POST', '/v1/segments', { slug });
  const send = async (file: string, key: string, slug = 'L') => {
    const headers = { 'content-type': 'text/plain', 'idempotency-key': key };
    const { status, body } = await call('POST', `/v1/segments/${slug}/imports?operation=add`, file, headers);
    return status === 202 ? (body.id as string) : [status, body.code];
  };
  const first = await send('l\n', 'late');
  assert.equal((await finished(call, first as string)).applied, 1);
  const [unknown, reused] = [
    [404, 'segment_not_found'],
    [409, 'idempotency_key_reused'],
  ];
  assert.deepEqual(await send('l\n', 'late', 'OTHER'), reused);
  await call('DELETE', '/v1/segments/L');
  assert.deepEqual([await send('l\n', 'late'), await send('m\n', 'late'), await send('l\n', 'new')], [first, unknown, unknown]);
  await call('POST', '/v1/segments', { slug: 'L' });
  assert.deepEqual([await send('l\n', 'late'), await send('m\n', 'late')], [first, reused]);
  assert.equal((await call('GET', '/v1/segments/L')).body.members, 0);
  assert.notEqual(await send('l\n', 'new'), first);
});

test('what makes no sense is refused, and changes nothing', async () => {
  await call('POST', '/v1/segments', { slug: 'N' });
  const send = (query: string, headers: Record<string, string> = {}, file: string | Buffer = 'a\n') =>
    call('POST', `/v1/segments/N/imports?${query}`, file, { 'content-type': 'text/csv', ...headers });
  for (const [answer, status, code] of [
    [await send(''), 400, 'invalid_request'],
    [await send('operation=put'), 400, 'invalid_request'],
    [await send('operation=add&ttl_seconds=0'), 400, 'invalid_request'],
    [await send('operation=add&ttl_seconds=99999999999999'), 400, 'invalid_request'],
    [await send('operation=remove&ttl_seconds=5'), 400, 'invalid_request'],
    [await send('operation=remove&replace_in_group=true'), 400, 'invalid_request'],
    [await send('operation=add', { 'idempotency-key': '' }), 400, 'invalid_request'],
    [await send('operation=add', { 'content-encoding': 'gzip' }), 400, 'invalid_request'],
    [
      await send('operation=add', { 'content-encoding': 'gzip' }, gzipSync('a\n'.repeat(99)).subarray(0, -9)),
      400,
      'invalid_request',
    ],
    [await send('operation=add', { 'content-encoding': 'br' }), 415, 'unsupported_media_type'],
    [await send('operation=add', { 'content-type': 'application/json' }), 415, 'unsupported_media_type'],
    [await send('operation=add', { 'content-type': 'text/csv; charset=utf-16' }), 415, 'unsupported_media_type'],
    [
      await call('POST', '/v1/segments/NOWHERE/imports?operation=add', 'a', { 'content-type': 'text/csv' }),
      404,
      'segment_not_found',
    ],
    [
      await call('POST', '/v1/segments/NOWHERE/imports?operation=add&ttl_seconds=99999999999999', 'a', {
        'content-type': 'text/csv',
      }),
      400,
      'invalid_request',
    ],
    [await call('GET', '/v1/imports/1'), 404, 'import_not_found'],
  ] as const) {
    assert.deepEqual([answer.status, answer.body.code], [status, code], answer.text);
  }
  assert.equal((await call('GET', '/v1/segments/N')).body.members, 0);
  assert.deepEqual((await call('GET', '/v1/imports?segment=N')).body.imports, []);
});

test('a file that is too large is refused with the limit and its size, before it is read or on the way, and leaves no trace', async () => {
  const { app, call, keys, database } = await startApp({ imports: { isRunner: false, maxBytes: 1_000 }, stallMs: 5_000 });
  await call('POST', '/v1/segments', { slug: 'A' });
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  /** Answered though the file never ends. */
  const send = async (headers: Record<string, string | number>, file: string | Buffer) => {
    const path = '/v1/segments/A/imports?operation=add';
    const common = { authorization: `Bearer ${keys.write}`, 'content-type': 'text/plain', 'idempotency-key': 'large' };
    const request = http.request({ host: '127.0.0.1', port, path, method: 'POST', headers: { ...common, ...headers } });
    request.on('error', () => {}); // it is cut in the end
    if (file.length > 0) request.write(file);
    else request.flushHeaders();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const { code, detail } = JSON.parse((await response.toArray()).join('')) as { code: string; detail: string };
    request.destroy();
    return [response.statusCode, code, detail];
  };
  const chunked = 'A file may have 1,000 bytes at most, unpacked; this one has at least 1,001.';
  for (const [headers, file, detail] of [
    [{ 'content-length': 1_001 }, '', 'A file may have 1,000 bytes at most; 1,001 were announced.'],
    [{}, 'u1\n'.repeat(333) + 'u2', chunked],
    [{ 'content-encoding': 'gzip' }, gzipSync('u1\n'.repeat(333) + 'u2'), chunked],
  ] as const)
    assert.deepEqual(await send(headers, file), [413, 'body_too_large', detail]);
  assert.deepEqual((await call('GET', '/v1/imports')).body.imports, []);
  const { rows } = await database.pool.query(
    `select from pg_class where relname like 'import_rows%' union all select from users union all select from import_keys`,
  );
  assert.equal(rows.length, 0);
  const largest = 'u1\n'.repeat(333) + 'u';
  const headers = { 'content-type': 'text/plain', 'idempotency-key': 'large' };
  assert.equal((await call('POST', '/v1/segments/A/imports?operation=add', largest, headers)).status, 202);
});

test('imports are listed, oldest first, by segment and state', async () => {
  const { body } = await call('GET', '/v1/imports?segment=R&limit=2');
  assert.equal(body.imports.length, 2);
  const rest = await call('GET', `/v1/imports?segment=R&limit=2&cursor=${body.next_cursor}`);
  assert.deepEqual([rest.body.imports.length, rest.body.imports[0].operation, rest.body.next_cursor], [1, 'replace', null]);
  assert.deepEqual((await call('GET', '/v1/imports?segment=R&state=cancelled')).body.imports, []);
});

test('of a user alone in a batch everything ends that a removal names: the membership, and the plan after it', async () => {
  await call('POST', '/v1/segments', { slug: 'M' });
  await call('PATCH', '/v1/users/m/segments', { add: ['M'], ttl_seconds: 3600 });
  await call('PATCH', '/v1/users/m/segments', { add: ['M'], starts_at: '2999-01-01T00:00:00Z' });
  const told = async () => (await call('GET', '/v1/users/m/memberships')).body.memberships.length;
  assert.equal(await told(), 2);
  assert.deepEqual(counts(await importFile(call, 'M', 'operation=remove', 'm\n')), ['done', 1, 1, 0, 0, 0]);
  assert.equal(await told(), 0);
});

test('a plan that a replacing file leaves tells since when its user is in, as it will be then', async () => {
  await call('POST', '/v1/segments', { slug: 'PLAN' });
  await call('PATCH', '/v1/users/w/segments', { add: ['PLAN'] });
  const start = '2999-01-01T00:00:00.000Z';
  await call('PATCH', '/v1/users/w/segments', { add: ['PLAN'], starts_at: start });
  const rows = async () => {
    const { rows } = await database.pool.query<{ starts_at: number; since: number; begun_by: string }>(
      `select starts_at, since, begun_by from memberships where user_id = 'w' order by starts_at`,
    );
    return rows;
  };
  const [present, plan] = await rows();
  assert.deepEqual([plan!.starts_at, plan!.since], [Date.parse(start), present!.starts_at]);
  await importFile(call, 'PLAN', 'operation=replace', 'someone\n');
  assert.deepEqual(await rows(), [{ ...plan!, since: plan!.starts_at }]);
  await importFile(call, 'PLAN', 'operation=replace', 'w\n');
  const [again, still] = await rows();
  assert.deepEqual([again!.since, still], [again!.starts_at, { ...plan!, since: again!.starts_at }]);
});

test('a file without rows is one, and a request without a file is none', async () => {
  await call('POST', '/v1/segments', { slug: 'E' });
  assert.deepEqual(counts(await importFile(call, 'E', 'operation=add', '')), ['done', 0, 0, 0, 0, 0]);
  const { status, body } = await call('POST', '/v1/segments/E/imports?operation=add');
  assert.deepEqual(
    [status, body.code, body.detail],
    [415, 'unsupported_media_type', 'Send text/csv or text/plain; got no Content-Type.'],
  );
});
