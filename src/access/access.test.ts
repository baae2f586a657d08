import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type Answer, startApp } from '../../test/support/app.ts';
import { cloneDatabase, openAgain } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { newKey, type Scope, scopes, sha256Of } from './key.ts';
import { keysStore } from './keys.store.ts';

const { another, app, as, call, database, keys } = await startApp();

/** What each route of the document asks for. A route without a line here fails. */
const needs: Record<string, Scope | 'none'> = {
  'POST /v1/segments': 'write',
  'GET /v1/segments': 'read',
  'GET /v1/segments/{slug}': 'read',
  'PATCH /v1/segments/{slug}': 'write',
  'DELETE /v1/segments/{slug}': 'write',
  'DELETE /v1/segments/{slug}/scheduled/{id}': 'write',
  'GET /v1/segments/{slug}/members': 'read',
  'GET /v1/segments/{slug}/timeline': 'read',
  'POST /v1/segments/{slug}/imports': 'write',
  'GET /v1/imports': 'read',
  'GET /v1/imports/{id}': 'read',
  'GET /v1/imports/{id}/rejects': 'read',
  'DELETE /v1/imports/{id}': 'write',
  'PATCH /v1/users/{user_id}/segments': 'write',
  'GET /v1/users/{user_id}/segments': 'read',
  'POST /v1/lookup': 'read',
  'GET /v1/users/{user_id}/segments/{slug}': 'read',
  'GET /v1/users/{user_id}/memberships': 'read',
  'GET /v1/users/{user_id}/history': 'read',
  'GET /v1/changes': 'read',
  'GET /v1/users/{user_id}/report': 'read',
  'GET /v1/reports/history': 'read',
  'GET /v1/downloads/{token}': 'none',
  'POST /ofrep/v1/evaluate/flags/{key}': 'evaluate',
  'POST /ofrep/v1/evaluate/flags': 'evaluate',
  'GET /ofrep/v1/streams/{token}': 'none',
  'GET /v1/key': 'evaluate',
  'GET /v1/keys': 'admin',
  'POST /v1/keys': 'admin',
  'DELETE /v1/keys/{name}': 'admin',
  'GET /metrics': 'read',
  'GET /healthz': 'none',
  'GET /readyz': 'none',
  'GET /openapi.json': 'none',
};
const bodies: Record<string, unknown> = {
  'POST /v1/segments': { slug: 'made' },
  'PATCH /v1/segments/{slug}': { percent: 5 },
  'PATCH /v1/users/{user_id}/segments': { add: ['A'] },
  'POST /v1/lookup': { user_ids: ['1000'] },
  'POST /v1/keys': { name: 'made', scope: 'read' },
  'POST /ofrep/v1/evaluate/flags/{key}': { context: { targetingKey: '1' } },
  'POST /ofrep/v1/evaluate/flags': { context: { targetingKey: '1' } },
};
/** OpenFeature's routes answer in the form of its protocol, which has no codes for this. */
const hasCodes = (path: string) => !path.startsWith('/ofrep/v1/evaluate/');

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
const documented = Object.entries(app.swagger().paths ?? {}).flatMap(([path, methods]) =>
  Object.keys(methods as object).map((method) => ({
    method: method.toUpperCase() as Method,
    path,
    route: `${method.toUpperCase()} ${path}`,
  })),
);
const urlOf = (path: string) =>
  path
    .replace('{slug}', 'A')
    .replace('{user_id}', '1')
    .replace('{id}', '1')
    .replace('{token}', 'x')
    .replace('{name}', 'unheard-of') +
  (/history|report/.test(path) ? '?month=2025-11' : path === '/v1/changes' ? '?after=none' : ''); // else it would not end

const revoked = newKey();
before(async () => {
  const store = keysStore(database);
  assert.equal(await store.insert({ name: 'gone', scope: 'admin' }, sha256Of(revoked)), true);
  assert.equal(await store.revoke('gone'), true);
  const ask = () => as(null)('GET', '/v1/segments', undefined, { authorization: `Bearer ${revoked}` });
  await until(async () => (await ask()).status === 401, 'the revocation to be known'); // it may have been seen while it lived
});

const challenge = 'Bearer realm="segmentd"';
const isUnauthorized = ({ status, body, headers }: Answer, message: string, hasCode = true) =>
  assert.deepEqual(
    [status, body.code, headers['www-authenticate']],
    [401, hasCode ? 'unauthorized' : undefined, challenge],
    message,
  );
const isForbidden = ({ status, body, headers }: Answer, message: string, hasCode = true) =>
  assert.deepEqual(
    [status, body.code, headers['www-authenticate']],
    [403, hasCode ? 'forbidden' : undefined, `${challenge}, error="insufficient_scope"`],
    message,
  );
const isLetIn = ({ status, body, headers }: Answer, message: string) => {
  assert.ok(status !== 401 && body?.code !== 'forbidden', `${message}: ${status}`);
  assert.equal(headers['www-authenticate'], undefined, message);
};

test('the table of scopes has a line for each route of the document, and no other', () => {
  assert.deepEqual(documented.map(({ route }) => route).toSorted(), Object.keys(needs).toSorted());
});

for (const { method, path, route } of documented) {
  const need = needs[route] ?? 'admin';
  test(need === 'none' ? `${route} needs no key` : `${route} lets in only a key that may ${need}`, async () => {
    const asked = (by: typeof call, authorization?: string) =>
      by(method, urlOf(path), bodies[route], authorization ? { authorization } : {});
    if (need === 'none') {
      isLetIn(await asked(as(null)), 'no key');
      isLetIn(await asked(as(null), `Bearer ${revoked}`), 'a revoked key');
      isLetIn(await asked(as(null), 'nonsense'), 'no header of ours');
      return;
    }
    const hasCode = hasCodes(path);
    isUnauthorized(await asked(as(null)), 'no key', hasCode);
    isUnauthorized(await asked(as(null), `Bearer ${newKey()}`), 'a key that was never made', hasCode);
    isUnauthorized(await asked(as(null), `Bearer ${revoked}`), 'a revoked key', hasCode);
    const from = scopes.indexOf(need);
    for (const scope of scopes.slice(0, from)) isForbidden(await asked(as(scope)), scope, hasCode);
    for (const scope of scopes.slice(from)) isLetIn(await asked(as(scope)), scope);
  });

  if (method !== 'GET') continue;
  test(`HEAD ${path} is GET without the body, for the same keys`, async () => {
    const scope = need === 'none' ? 'read' : need;
    const head = async (key: string | null) =>
      app.inject({ method: 'HEAD', url: urlOf(path), headers: key === null ? {} : { authorization: `Bearer ${key}` } });
    const [get, answer] = [await as(scope)('GET', urlOf(path)), await head(keys[scope])];
    assert.deepEqual([answer.statusCode, answer.payload], [get.status, '']);
    assert.equal(answer.headers['content-type'], get.headers['content-type']);
    assert.equal((await head(null)).statusCode, need === 'none' ? get.status : 401);
  });
}

test('OPTIONS is a method like any other: refused, and only told to who has a key', async () => {
  for (const path of new Set(documented.map(({ path }) => urlOf(path)))) {
    isUnauthorized(
      await as(null)('OPTIONS', path, undefined, { origin: 'https://example.com', 'access-control-request-method': 'GET' }),
      path,
    );
    const { status, headers } = await as('read')('OPTIONS', path);
    assert.deepEqual([status, headers['access-control-allow-origin']], [405, undefined]);
  }
});

for (const [what, authorization] of Object.entries({
  'an empty header': '',
  'a scheme alone': 'Bearer',
  'a scheme and a space': 'Bearer ',
  'a key without a scheme': keys.read,
  'another scheme': `Basic ${Buffer.from(`:${keys.read}`).toString('base64')}`,
  'two keys': `Bearer ${keys.read} ${keys.write}`,
  'a key and a comma': `Bearer ${keys.read},`,
  'a key with a character more': `Bearer ${keys.read}x`,
  'a key with a character less': `Bearer ${keys.read.slice(0, -1)}`,
  'a key in other letters': `Bearer ${keys.read.toUpperCase()}`,
  'the stored hash of a key': `Bearer ${sha256Of(keys.read)}`,
})) {
  test(`${what} is no key`, async () => {
    isUnauthorized(await as(null)('GET', '/v1/segments', undefined, { authorization }), what);
  });
}

test('a key is taken from the header alone, whatever the letters of the scheme', async () => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    assert.equal((await as(null)('GET', '/v1/segments', undefined, { authorization: `${scheme} ${keys.read}` })).status, 200);
  }
  isUnauthorized(await as(null)('GET', `/v1/segments?access_token=${keys.read}`), 'in the query');
  isUnauthorized(await as(null)('GET', '/v1/segments', undefined, { 'x-api-key': keys.read }), 'in another header');
});

test('a refusal says what is missing, without a word of the key', async () => {
  const { body, text } = await as('read')('DELETE', '/v1/segments/A');
  assert.equal(body.detail, 'This needs a key with the scope write; reader has read.');
  assert.ok(!text.includes(keys.read));
  assert.equal((await as(null)('GET', '/v1/segments')).body.detail, 'Send the header "Authorization: Bearer KEY".');
  assert.equal(
    (await as(null)('GET', '/v1/segments', undefined, { authorization: `Bearer ${revoked}` })).body.detail,
    'The key is not known, or was revoked.',
  );
});

test('a key works as soon as it is made, ends with its revocation in every process, and its name is never given again', async () => {
  const store = keysStore(openAgain(database));
  const key = newKey();
  const authorization = `Bearer ${key}`;
  const processes = [call, await another()];
  const asked = () => Promise.all(processes.map((by) => by('GET', '/v1/segments', undefined, { authorization })));
  await store.insert({ name: 'brief', scope: 'read' }, sha256Of(key));
  for (const { status } of await asked()) assert.equal(status, 200);
  await store.revoke('brief');
  await until(async () => (await asked()).every(({ status }) => status === 401), 'the key to end');
  for (const answer of await asked()) isUnauthorized(answer, 'revoked');
  assert.equal(await store.insert({ name: 'brief', scope: 'admin' }, sha256Of(newKey())), false);
});

test('a link that is not valid is a 403 without a challenge: no key would help', async () => {
  const { status, body, headers } = await as(null)('GET', '/v1/downloads/x');
  assert.deepEqual([status, body.code, headers['www-authenticate']], [403, 'link_invalid', undefined]);
});

test('the page of the document needs no key', async () => {
  for (const url of ['/docs', '/docs/', '/docs/static/swagger-ui.css']) {
    const { statusCode } = await app.inject({ url });
    assert.ok(statusCode === 200 || statusCode === 302, `${url}: ${statusCode}`);
  }
});

test('the first key goes into an empty table alone, and is known again after an answer that was lost', async () => {
  const store = keysStore(openAgain(await cloneDatabase()));
  const [key, other] = ['first', 'other'].map(sha256Of) as [string, string];
  const admin = { name: 'admin', scope: 'admin' } as const;
  assert.equal(await store.insertFirst(admin, key), true);
  assert.equal(await store.insertFirst(admin, key), true);
  assert.equal(await store.insertFirst(admin, other), false);
  assert.equal(await store.insertFirst({ ...admin, name: 'second' }, other), false);
  assert.deepEqual(
    (await store.list()).map(({ name }) => name),
    ['admin'],
  );
});
