import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type Answer, startApp } from '../../test/support/app.ts';

const { app, as } = await startApp();
const call = as('admin');

const refusal = ({ status, body }: Answer) => [
  status,
  body.code,
  ...(body.errors ?? []).map(({ path }: { path: string }) => path),
];

before(async () => {
  assert.equal((await call('POST', '/v1/segments', { slug: 'A' })).status, 201);
});

interface Documented {
  parameters?: { in: string; name: string; schema: { type?: string } }[];
}
const operations = Object.entries(app.swagger().paths ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods as Record<string, Documented>).map(([method, { parameters = [] }]) => ({
    method: method.toUpperCase() as 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: path
      .replace('{slug}', 'A')
      .replace('{user_id}', '1')
      .replace('{token}', 'x')
      .replace('{id}', '1')
      .replace('{name}', 'gone'),
    query: parameters.filter((parameter) => parameter.in === 'query'),
  })),
);
const bodies: Record<string, unknown> = {
  'POST /v1/segments': { slug: 'made' },
  'PATCH /v1/segments/A': { percent: 50 },
  'PATCH /v1/users/1/segments': { add: ['A'] },
  'POST /v1/lookup': { user_ids: ['1'] },
  'POST /v1/segments/A/imports': '1\n',
  'POST /v1/keys': { name: 'made', scope: 'read' },
};
const headersOf = (path: string): Record<string, string> => (path.endsWith('A/imports') ? { 'content-type': 'text/plain' } : {});
const values: Record<string, string> = {
  month: '2025-11',
  timezone: 'UTC',
  at: '2025-11-01T00:00:00Z',
  from: '2025-11-01T00:00:00Z',
  to: '2025-11-02T00:00:00Z',
  min_revision: '5',
  cursor: 'x',
  prefix: 'A',
  operation: 'add',
  state: 'done',
  segment: 'A',
};
/** Parameters without which a path is refused, but for one that is given otherwise. */
const needed = (path: string, given?: string) => {
  const names = path.endsWith('/timeline') ? ['from', 'to'] : path.endsWith('A/imports') ? ['operation'] : [];
  if (/history|report/.test(path) && given !== 'from' && given !== 'to') names.push('month');
  return names.map((name) => (name === given ? '' : `${name}=${values[name]}&`)).join('');
};

for (const { method, path } of operations.filter(({ path }) => path.startsWith('/v1/'))) {
  test(`${method} ${path} refuses a parameter that it does not know, and does nothing`, async () => {
    for (const name of ['surprise', 'dryrun', '__proto__']) {
      const answer = await call(method, `${path}?${needed(path)}${name}=true`, bodies[`${method} ${path}`], headersOf(path));
      assert.deepEqual(refusal(answer), [400, 'invalid_request', name]);
      assert.equal(answer.body.detail, `${name} is not a known parameter.`);
    }
  });
}

test('what was refused for its parameters changed nothing', async () => {
  assert.equal((await call('GET', '/v1/segments/A')).body.percent, 0);
  assert.equal((await call('GET', '/v1/segments/made')).status, 404);
  assert.ok((await call('GET', '/v1/keys')).body.keys.every(({ name }: { name: string }) => name !== 'made'));
  assert.equal((await call('GET', '/v1/users/1/segments')).body.segments, null);
});

// OpenFeature's protocol may come to know more parameters than ours do.
for (const { method, path, query } of operations.filter(({ path }) => !path.startsWith('/ofrep/'))) {
  for (const { name, schema } of query) {
    test(`${method} ${path} takes ${name} once`, async () => {
      const value = values[name] ?? (schema.type === 'boolean' ? 'true' : '5');
      const rest = needed(path, name);
      const { status, body } = await call(
        method,
        `${path}?${rest}${name}=${value}&${name}=${value}`,
        bodies[`${method} ${path}`],
        headersOf(path),
      );
      assert.deepEqual([status, body.errors], [400, [{ path: name, message: 'must be given once; got 2 times.' }]]);
    });

    if (schema.type === 'boolean') {
      test(`${method} ${path} takes true or false for ${name}, and nothing like it`, async () => {
        for (const value of ['1', '0', 'TRUE', 'True', 'yes', 'on', '', 'null', '%20true', 'true%00']) {
          assert.deepEqual(
            refusal(await call(method, `${path}?${needed(path)}${name}=${value}`, bodies[`${method} ${path}`], headersOf(path))),
            [400, 'invalid_request', name],
            value,
          );
        }
        for (const value of ['true', 'false'])
          assert.ok(
            (await call(method, `${path}?${needed(path)}${name}=${value}`, bodies[`${method} ${path}`], headersOf(path))).status <
              300,
          );
      });
    }
    if (name === 'limit') {
      test(`${method} ${path} takes a plain whole number for limit, and nothing like it`, async () => {
        for (const value of [
          '1e2',
          '%205',
          '+5',
          '5%20',
          '05',
          '5.0',
          '0x5',
          '-0',
          '1_0',
          '%EF%BC%95',
          '5%00',
          '9'.repeat(20),
          'Infinity',
          'null',
          '',
        ]) {
          assert.deepEqual(
            refusal(await call(method, `${path}?${needed(path)}limit=${value}`)),
            [400, 'invalid_request', 'limit'],
            value,
          );
        }
        assert.equal((await call(method, `${path}?${needed(path)}limit=5`)).status, 200);
      });
    }
  }
}

test('a query that is not valid percent-encoded UTF-8 is refused', async () => {
  for (const text of ['%zz', '%ff', '%C3', '%']) {
    assert.deepEqual(refusal(await call('GET', `/v1/segments?prefix=${text}`)).slice(0, 2), [400, 'invalid_request'], text);
  }
});

const large = `"${'x'.repeat(1_048_576)}"`;
const past = '2020-01-01T00:00:00Z';
const text = { 'content-type': 'text/plain' };
for (const [what, key, method, path, body, headers, status, code] of [
  ['401 before 404 for the path', null, 'GET', '/v1/nowhere', undefined, {}, 401, 'unauthorized'],
  ['401 before 405', null, 'PUT', '/v1/segments', undefined, {}, 401, 'unauthorized'],
  ['401 before 413', null, 'POST', '/v1/segments', large, {}, 401, 'unauthorized'],
  ['401 before 415', null, 'POST', '/v1/segments', 'x', text, 401, 'unauthorized'],
  ['401 before 400', null, 'GET', '/v1/segments?limit=x', undefined, {}, 401, 'unauthorized'],
  ['403 before 413', 'read', 'POST', '/v1/segments', large, {}, 403, 'forbidden'],
  ['403 before 415', 'read', 'POST', '/v1/segments', 'x', text, 403, 'forbidden'],
  ['403 before 400', 'read', 'POST', '/v1/segments', '{', {}, 403, 'forbidden'],
  ['403 before 404 for a segment', 'read', 'DELETE', '/v1/segments/nowhere', undefined, {}, 403, 'forbidden'],
  ['404 for the path before 413', 'write', 'POST', '/v1/nowhere', large, {}, 404, 'route_not_found'],
  ['404 for the path before 415', 'write', 'POST', '/v1/nowhere', 'x', text, 404, 'route_not_found'],
  ['405 before 413', 'write', 'PUT', '/v1/segments', large, {}, 405, 'method_not_allowed'],
  ['405 before 415', 'write', 'PUT', '/v1/segments', 'x', text, 405, 'method_not_allowed'],
  ['405 before 400', 'write', 'PUT', '/v1/segments/a%20b?x=1', '{', {}, 405, 'method_not_allowed'],
  ['413 before 400', 'write', 'PATCH', '/v1/segments/a%20b', large, {}, 413, 'body_too_large'],
  ['415 before 400', 'write', 'PATCH', '/v1/segments/a%20b', 'x', text, 415, 'unsupported_media_type'],
  ['400 for a field before 404', 'write', 'PATCH', '/v1/segments/nowhere', { percents: 1 }, {}, 400, 'invalid_request'],
  ['400 for a step before 404', 'write', 'PATCH', '/v1/segments/nowhere', { percent: 0.001 }, {}, 400, 'invalid_request'],
  ['400 for a cursor before 404', 'write', 'GET', '/v1/segments/nowhere/members?cursor=x', undefined, {}, 400, 'invalid_request'],
  [
    '400 for a future moment before 404',
    'write',
    'GET',
    '/v1/users/1/segments/nowhere?at=2999-01-01T00:00:00Z',
    undefined,
    {},
    400,
    'invalid_request',
  ],
  [
    '400 for a repeat before 404',
    'write',
    'PATCH',
    '/v1/users/1/segments',
    { add: ['nowhere', 'nowhere'] },
    {},
    400,
    'invalid_request',
  ],
  [
    '400 for a past end before 404',
    'write',
    'PATCH',
    '/v1/users/1/segments',
    { add: ['nowhere'], expires_at: past },
    {},
    400,
    'invalid_request',
  ],
  [
    '400 for a TTL too long before 404',
    'write',
    'PATCH',
    '/v1/users/1/segments',
    { add: ['nowhere'], ttl_seconds: 1e15 },
    {},
    400,
    'invalid_request',
  ],
  ['403 before 400 for a key', 'write', 'POST', '/v1/keys', { name: 'a b' }, {}, 403, 'forbidden'],
  ['400 before 404 for a key', 'admin', 'DELETE', '/v1/keys/a%20b', undefined, {}, 400, 'invalid_request'],
  ['400 before 409 for a key', 'admin', 'POST', '/v1/keys', { name: 'admin', scope: 'root' }, {}, 400, 'invalid_request'],
  ['400 before 409', 'write', 'POST', '/v1/segments', { slug: 'A', percent: 0.001 }, {}, 400, 'invalid_request'],
] as const) {
  test(`of several things wrong the first is told: ${what}`, async () => {
    const answer = await as(key)(method, path, body, headers);
    assert.deepEqual([answer.status, answer.body.code], [status, code]);
  });
}
