import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { isFollowing, openAgain } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { scopes, sha256Of } from './key.ts';
import { keysStore } from './keys.store.ts';

const { another, as, database } = await startApp({ reading: { cache: 'snapshot' } });
const call = as('admin');
const by = (key: string) => ({ authorization: `Bearer ${key}` });
const make = (name: string, scope = 'read') => call('POST', '/v1/keys', { name, scope });

test('a key tells of itself its name and scope, whatever its scope', async () => {
  const names = { evaluate: 'browser', read: 'reader', write: 'writer', admin: 'admin' };
  for (const scope of scopes) {
    const { status, body } = await as(scope)('GET', '/v1/key');
    assert.deepEqual([status, body], [200, { name: names[scope], scope }]);
  }
});

test('a key of each scope is made, shown this once, works at once and may what its scope says', async () => {
  for (const scope of scopes) {
    const { status, body, headers } = await make(`made-${scope}`, scope);
    assert.equal(status, 201);
    assert.deepEqual(Object.keys(body), ['name', 'scope', 'key']);
    assert.match(body.key, /^sgd_[\w-]{43}$/);
    assert.equal(headers['cache-control'], 'no-store');
    const { body: own } = await as(null)('GET', '/v1/key', undefined, by(body.key));
    assert.deepEqual(own, { name: `made-${scope}`, scope });
    const read = await as(null)('GET', '/v1/segments', undefined, by(body.key));
    assert.equal(read.status, scope === 'evaluate' ? 403 : 200);
    const listed = await call('GET', '/v1/keys');
    assert.ok(!listed.text.includes(body.key) && !listed.text.includes(sha256Of(body.key)));
  }
});

test('the name is the actor in the history', async () => {
  const { body } = await make('Ελένη@search', 'write');
  await as(null)('POST', '/v1/segments', { slug: 'BY_NAME' }, by(body.key));
  await as(null)('PATCH', '/v1/users/1/segments', { add: ['BY_NAME'] }, by(body.key));
  assert.equal((await call('GET', '/v1/users/1/segments/BY_NAME')).body.changed_by, 'Ελένη@search');
});

test('a name is 1 to 128 visible characters, counted as code points, and a scope one of four', async () => {
  for (const name of ['x', '😀'.repeat(128), 'a/b', '%', '__proto__']) assert.equal((await make(name)).status, 201, name);
  const refused = ['', 'x'.repeat(129), 'a b', 'a\tb', 'a\u0000b', '\ud800', 'a\u200bb', ' '];
  for (const name of refused) {
    const { status, body } = await make(name);
    assert.deepEqual([status, body.code, body.errors[0].path], [400, 'invalid_request', 'name'], JSON.stringify(name));
    assert.match(body.detail, /must be 1 to 128 visible characters/);
  }
  const { status, body } = await make('fine', 'root');
  assert.deepEqual(
    [status, body.errors],
    [400, [{ path: 'scope', message: 'must be one of evaluate, read, write, admin; got "root".' }]],
  );
  for (const wrong of [
    {},
    { name: 'fine' },
    { scope: 'read' },
    { name: 1, scope: 'read' },
    { name: 'fine', scope: 'read', key: 'k' },
  ])
    assert.equal((await call('POST', '/v1/keys', wrong)).status, 400, JSON.stringify(wrong));
  const names = (await keysStore(database).list()).map(({ name }) => name);
  for (const name of [...refused, 'fine']) assert.ok(!names.includes(name), name);
});

test('a name that was given is never given again, not after revocation either, and the first key is untouched', async () => {
  const { body: first } = await make('once');
  const refusal = (answer: Awaited<ReturnType<typeof make>>) => [answer.status, answer.body.code, answer.body.key];
  assert.deepEqual(refusal(await make('once', 'admin')), [409, 'key_exists', undefined]);
  assert.deepEqual((await as(null)('GET', '/v1/key', undefined, by(first.key))).body, { name: 'once', scope: 'read' });
  assert.equal((await call('DELETE', '/v1/keys/once')).status, 204);
  assert.deepEqual(refusal(await make('once')), [409, 'key_exists', undefined]);
});

test('of many that ask for one name at once, one gets it', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => make('wanted')));
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [201, ...Array.from({ length: 19 }, () => 409)]);
});

test('a revoked key is refused by the process that revoked it from its answer on, though its memory knew it', async () => {
  await until(() => isFollowing(database), 'the keys to be in memory');
  for (let i = 0; i < 20; i++) {
    const { body } = await make(`brief-${i}`);
    const ask = () => as(null)('GET', '/v1/users/1/segments', undefined, by(body.key));
    assert.equal((await ask()).status, 200);
    const { status, text } = await call('DELETE', `/v1/keys/brief-${i}`);
    assert.deepEqual([status, text], [204, '']);
    assert.equal((await ask()).status, 401);
  }
});

test('a revoked key ends in other processes too', async () => {
  const elsewhere = await another();
  const { body } = await make('elsewhere');
  const ask = async () => (await elsewhere('GET', '/v1/key', undefined, by(body.key))).status;
  assert.equal(await ask(), 200);
  await call('DELETE', '/v1/keys/elsewhere');
  await until(async () => (await ask()) === 401, 'the key to end');
});

test('revoking what is not there, or is revoked, is a 404', async () => {
  await make('twice');
  assert.equal((await call('DELETE', '/v1/keys/twice')).status, 204);
  for (const name of ['twice', 'never-made', 'TWICE']) {
    const { status, body } = await call('DELETE', `/v1/keys/${name}`);
    assert.deepEqual([status, body.code, body.detail], [404, 'key_not_found', `No living key is named ${name}.`]);
  }
});

test('a name is percent-encoded in the path where needed', async () => {
  for (const name of ['a/c', '100%', 'ключ', '😀?#']) {
    await make(name);
    assert.equal((await call('DELETE', `/v1/keys/${encodeURIComponent(name)}`)).status, 204, name);
  }
});

test('the list is in byte order, page by page, with those that were revoked', async () => {
  const all = (await keysStore(openAgain(database)).list()).map(({ name }) => name);
  const pages: { name: string; revoked_at: string | null }[][] = [];
  let cursor: string | null = null;
  do {
    const url: string = `/v1/keys?limit=3${cursor === null ? '' : `&cursor=${cursor}`}`;
    const { status, body } = await call('GET', url);
    assert.equal(status, 200);
    pages.push(body.keys);
    cursor = body.next_cursor;
  } while (cursor !== null);
  assert.ok(pages.slice(0, -1).every((page) => page.length === 3) && pages.length > 5);
  const listed = pages.flat();
  assert.deepEqual(
    listed.map(({ name }) => name),
    all,
  );
  assert.deepEqual(
    all,
    all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  assert.equal(listed.find(({ name }) => name === 'admin')!.revoked_at, null);
  assert.match(listed.find(({ name }) => name === 'twice')!.revoked_at!, /Z$/);
});
