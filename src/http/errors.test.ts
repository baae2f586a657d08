import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, test } from 'node:test';
import { type Answer, startApp } from '../../test/support/app.ts';

const { app, as, call, keys } = await startApp();

const refusal = ({ status, body }: Answer) => [
  status,
  body.code,
  ...(body.errors ?? []).map(({ path }: { path: string }) => path),
];

/** Over a socket, with the path exactly as it stands: `inject` and `fetch` fold dots away. */
async function send(
  method: string,
  path: string,
  { body = '', key = keys.write, headers = {} }: { body?: string; key?: string | null; headers?: object } = {},
): Promise<Answer> {
  if (!app.server.listening) await app.listen({ port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const authorization = key === null ? {} : { authorization: `Bearer ${key}` };
    const sent = request({ host: '127.0.0.1', port, method, path, headers: { ...authorization, ...headers } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = String(answer.headers['content-type']).includes('json') && text !== '';
        resolve({ status: answer.statusCode!, headers: answer.headers, text, body: isJson ? JSON.parse(text) : text });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

before(async () => {
  assert.equal((await call('POST', '/v1/segments', { slug: 'A' })).status, 201);
  assert.equal((await call('PATCH', '/v1/users/1/segments', { add: ['A'] })).status, 200);
});

test('a refusal is problem+json, whole, and bears the id of its request', async () => {
  const { status, body, headers } = await call('GET', '/v1/segments/nowhere');
  const { request_id, ...problem } = body;
  assert.deepEqual(problem, {
    type: '/problems/segment_not_found',
    title: 'No such segment',
    status: 404,
    detail: 'There is no segment nowhere.',
    code: 'segment_not_found',
  });
  assert.equal(status, 404);
  assert.match(String(headers['content-type']), /^application\/problem\+json(; charset=utf-8)?$/);
  assert.match(request_id, /^[0-9a-f-]{36}$/);
});

for (const [what, ask] of Object.entries({
  'an answer': () => call('GET', '/v1/segments'),
  'a 400': () => call('GET', '/v1/segments?limit=x'),
  'a path that cannot be decoded': () => call('GET', '/v1/users/%zz/segments'),
  'a 401': () => as(null)('GET', '/v1/segments'),
  'a 401 at a path that cannot be decoded': () => as(null)('GET', '/v1/users/%zz/segments'),
  'a 403': () => as('read')('DELETE', '/v1/segments/A'),
  'a 404': () => call('GET', '/v1/nowhere'),
  'a 405': () => call('PUT', '/v1/segments'),
  'a 413': () => call('POST', '/v1/segments', 'x'.repeat(1_048_577)),
})) {
  test(`${what} bears X-Request-Id, the same as in its body, and no other's`, async () => {
    const { headers, body } = await ask();
    const id = String(headers['x-request-id']);
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    if (body.code) assert.equal(body.request_id, id);
    assert.notEqual((await ask()).headers['x-request-id'], id);
  });
}

test('a refusal carries the same protective headers as an answer', async () => {
  for (const answer of [
    await call('GET', '/v1/segments'),
    await as(null)('GET', '/v1/segments'),
    await call('GET', '/v1/nowhere'),
  ]) {
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', String(answer.status));
  }
});

const large = `{"slug":"${'x'.repeat(1_048_576)}"}`;
const json = { 'content-type': 'application/json' };
for (const [what, body, headers, ...refused] of [
  ['what is no JSON', '{"slug": "B"', json, 400, 'invalid_request'],
  ['nothing where JSON is announced', '', json, 400, 'invalid_request'],
  ['bytes that are no UTF-8', Buffer.from('7b22736c7567223a2242ff227d', 'hex'), json, 400, 'invalid_request'],
  ['a list', '[]', json, 400, 'invalid_request', ''],
  ['null', 'null', json, 400, 'invalid_request', ''],
  ['a list of great depth', '['.repeat(400_000) + ']'.repeat(400_000), json, 400, 'invalid_request', ''],
  ['a field of great depth', `{"slug":${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}}`, json, 400, 'invalid_request', 'slug'],
  ['two unknown fields', '{"slug":"B","slugs":1,"x":2}', json, 400, 'invalid_request', 'slugs', 'x'],
  ['__proto__', '{"slug":"B","__proto__":{"percent":5}}', json, 400, 'invalid_request', '__proto__'],
  ['the slug in __proto__', '{"__proto__":{"slug":"B"}}', json, 400, 'invalid_request', 'slug', '__proto__'],
  ['constructor', '{"slug":"B","constructor":1}', json, 400, 'invalid_request', 'constructor'],
  ['a field twice', '{"slug":"B","description":"a","description":"b"}', json, 400, 'invalid_request', 'description'],
  ['a field twice, spelt otherwise', '{"slug":"B", "\\u0073lug" :"C"}', json, 400, 'invalid_request', 'slug'],
  ['__proto__ twice', '{"slug":"B","__proto__":1,"__proto__":1}', json, 400, 'invalid_request', '__proto__'],
  ['a body past the limit', large, json, 413, 'body_too_large'],
  ['a body past the limit that is no JSON', large.slice(1), json, 413, 'body_too_large'],
  ['another media type', 'slug=B', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
  ['JSON as text', '{"slug":"B"}', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
  ['JSON of another kind', '{"slug":"B"}', { 'content-type': 'application/merge-patch+json' }, 415, 'unsupported_media_type'],
  ['a media type that is none', '{"slug":"B"}', { 'content-type': 'json' }, 415, 'unsupported_media_type'],
] as [string, string | Buffer, Record<string, string>, ...(string | number)[]][]) {
  test(`a body of ${what} is refused`, async () => {
    const answer = await call('POST', '/v1/segments', body, headers);
    assert.deepEqual(refusal(answer).toSorted(), refused.toSorted(), answer.text);
    assert.equal((await call('GET', '/v1/segments/B')).status, 404);
  });
}

test('a body may be as long as the limit, with a charset named and a byte order mark', async () => {
  const padded = `{"slug":"padded"${' '.repeat(1_048_576 - 17)}}`;
  assert.deepEqual([padded.length, (await call('POST', '/v1/segments', padded)).status], [1_048_576, 201]);
  assert.equal(
    (await call('POST', '/v1/segments', '\ufeff{"slug":"marked"}', { 'content-type': 'application/json; charset=utf-8' })).status,
    201,
  );
});

test('a body without a media type is a 415, and one of unknown length is cut off at the limit', async () => {
  assert.deepEqual(refusal(await send('POST', '/v1/segments', { body: '{"slug":"B"}' })), [415, 'unsupported_media_type']);
  const chunked = { body: 'x'.repeat(1_048_577), headers: { ...json, 'transfer-encoding': 'chunked' } };
  assert.deepEqual(refusal(await send('POST', '/v1/segments', chunked)), [413, 'body_too_large']);
});

test('what looks like a repeated field inside of a text or of a list is none', async () => {
  for (const [slug, description] of Object.entries({
    quoted: '\\",\\"slug\\":{\\\\',
    bracketed: ']}{\\"slug\\":[',
    plain: 'slug:slug',
  })) {
    const answer = await call('POST', '/v1/segments', `{"slug":"${slug}","description":"${description}" , "percent" : 0}`);
    assert.equal(answer.status, 201, answer.text);
  }
  const inLists = await call('PATCH', '/v1/users/9/segments', '{"add":["quoted"],"remove":[{"add":1,"add":2}]}');
  assert.deepEqual(refusal(inLists), [400, 'invalid_request', 'remove/0']);
});

test('a deletion whose body is of another type is refused as documented', async () => {
  const answer = await call('DELETE', '/v1/segments/A', 'x', { 'content-type': 'text/plain' });
  assert.deepEqual(refusal(answer), [415, 'unsupported_media_type']);
});

test('a deletion that announces JSON and sends none is a deletion', async () => {
  await call('POST', '/v1/segments', { slug: 'shortlived' });
  assert.equal((await call('DELETE', '/v1/segments/shortlived', undefined, json)).status, 204);
});

for (const [path, allow] of [
  ['/v1/segments', 'GET, HEAD, POST'],
  ['/v1/segments/A', 'DELETE, GET, HEAD, PATCH'],
  ['/v1/segments/A/members', 'GET, HEAD'],
  ['/v1/users/1/segments', 'GET, HEAD, PATCH'],
  ['/v1/users/a%2Fb/segments/A', 'GET, HEAD'],
  ['/v1/users/1/history', 'GET, HEAD'],
  ['/v1/downloads/x', 'GET, HEAD'],
  ['/healthz', 'GET, HEAD'],
] as const) {
  test(`another method at ${path} is a 405 that allows ${allow}`, async () => {
    for (const method of ['PUT', 'OPTIONS', ...(allow.includes('DELETE') ? [] : ['DELETE' as const])] as const) {
      const answer = await call(method, `${path}?x=1`, undefined);
      assert.deepEqual([...refusal(answer), answer.headers.allow], [405, 'method_not_allowed', allow]);
      assert.equal(answer.body.detail, `${method} is not known here; ${allow} are.`);
      assert.deepEqual(refusal(await as(null)(method, path)), [401, 'unauthorized']);
    }
  });
}

for (const path of [
  '/',
  '/v1',
  '/v2/segments',
  '/v1/Segments',
  '/v1/segments/A/',
  '/v1/lookups',
  '/v1/segments/A/members/1',
  '/openapi',
]) {
  test(`${path} does not exist, and without a key that is not told`, async () => {
    for (const method of ['GET', 'POST'] as const) {
      const answer = await call(method, path, method === 'GET' ? undefined : '{malformed');
      assert.deepEqual([...refusal(answer), answer.body.detail], [404, 'route_not_found', `There is no ${path}. See /docs.`]);
      assert.deepEqual(refusal(await as(null)(method, path)), [401, 'unauthorized']);
    }
  });
}

const idRule = 'must be 1 to 128 visible ASCII characters, and not . or ..';
for (const [path, id] of [
  ['%00', '\0'],
  ['a%00b', 'a\0b'],
  ['a%20b', 'a b'],
  ['%09', '\t'],
  ['%7F', '\x7f'],
  ['%C3%A9', 'é'],
  ['', ''],
  ['.', '.'],
  ['..', '..'],
  ['%2e', '.'],
  ['%2E%2e', '..'],
  ['.%2E', '..'],
] as const) {
  test(`the user id ${path || '(none)'} is refused, as what it stands for`, async () => {
    for (const rest of ['segments', 'segments/A', 'memberships', 'history?month=2025-11', 'report?month=2025-11']) {
      const { status, body } = await send('GET', `/v1/users/${path}/${rest}`);
      assert.deepEqual(
        [status, body.errors],
        [400, [{ path: 'user_id', message: `${idRule}; got ${JSON.stringify(id)}.` }]],
        rest,
      );
    }
    assert.equal((await send('PATCH', `/v1/users/${path}/segments`, { body: '{"add":["A"]}', headers: json })).status, 400);
  });
}

test('a user id of 129 characters, or of many thousands, is refused', async () => {
  for (const length of [129, 9_000, 12_000]) {
    const { status, body } = await send('GET', `/v1/users/${'u'.repeat(length)}/segments`);
    assert.deepEqual([status, body.code], [400, 'invalid_request'], `${length} characters: ${body.detail}`);
  }
});

for (const path of ['%', '%z', '%zz', '%ff', '%C3', '%ED%A0%80', 'a%2']) {
  test(`a path with ${path} is not valid, whoever's it is`, async () => {
    for (const where of [`/v1/users/${path}/segments`, `/v1/segments/${path}`, `/v1/${path}`]) {
      const answer = await send('GET', where);
      assert.deepEqual(
        [...refusal(answer), answer.body.detail],
        [400, 'invalid_request', 'The path is not valid percent-encoded UTF-8.'],
      );
      assert.deepEqual(refusal(await send('GET', where, { key: null })), [401, 'unauthorized']);
    }
  });
}
