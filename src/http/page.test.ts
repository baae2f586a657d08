import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { startApp } from '../../test/support/app.ts';
import type { PageFile } from './page.ts';

const file = (name: string, text: string): PageFile => {
  const plain = Buffer.from(text);
  return { name, plain, br: brotliCompressSync(plain), gzip: gzipSync(plain) };
};
const page = [
  file('index.html', '<!doctype html><title>page</title>'),
  file('page-0123456789.js', 'export {};'),
  file('page-0123456789.css', 'body { margin: 0 }'),
  file('icon-0123456789.svg', '<svg xmlns="http://www.w3.org/2000/svg" />'),
];
const { app, as } = await startApp({ page });
const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });

test('the page and its files come without a key, each as what it is', async () => {
  for (const [name, type] of [
    ['', 'text/html; charset=utf-8'],
    ['page-0123456789.js', 'text/javascript; charset=utf-8'],
    ['page-0123456789.css', 'text/css; charset=utf-8'],
    ['icon-0123456789.svg', 'image/svg+xml'],
  ] as const) {
    const { statusCode, headers, rawPayload } = await get(`/ui/${name}`);
    assert.deepEqual([statusCode, headers['content-type'], headers['x-content-type-options']], [200, type, 'nosniff']);
    assert.deepEqual(rawPayload, page.find((one) => one.name === (name || 'index.html'))!.plain);
  }
});

test('the way in leads to the page, by an address that holds below any path of a proxy', async () => {
  for (const path of ['/', '/ui']) {
    const { statusCode, headers } = await get(path);
    assert.deepEqual([statusCode, headers.location], [302, 'ui/']);
  }
});

test('the page loads nothing but what this service serves, runs nothing inline and is framed by nobody', async () => {
  const { headers } = await get('/ui/');
  assert.equal(
    headers['content-security-policy'],
    "default-src 'none';script-src 'self';style-src 'self';img-src 'self';connect-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none'",
  );
});

test('a file whose name tells its contents is kept for ever, the way in is asked for each time', async () => {
  assert.equal((await get('/ui/page-0123456789.js')).headers['cache-control'], 'public, max-age=31536000, immutable');
  assert.equal((await get('/ui/')).headers['cache-control'], 'no-cache');
});

test('comes packed as the client takes it', async () => {
  for (const [accepted, coding, unpack] of [
    ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
    ['gzip, br;q=0', 'gzip', gunzipSync],
    ['GZIP;q=0.5', 'gzip', gunzipSync],
    ['identity', undefined, (bytes: Buffer) => bytes],
    ['br; q=0.0, gzip;q=0', undefined, (bytes: Buffer) => bytes],
  ] as const) {
    const { headers, rawPayload } = await get('/ui/page-0123456789.css', { 'accept-encoding': accepted });
    assert.deepEqual([headers['content-encoding'], headers.vary], [coding, 'Accept-Encoding'], accepted);
    assert.equal(unpack(rawPayload).toString(), 'body { margin: 0 }', accepted);
  }
});

test('what is no file of it is an unknown path like any other', async () => {
  assert.equal((await get('/ui/secret.js')).statusCode, 401);
  const { status, body } = await as('read')('GET', '/ui/secret.js');
  assert.deepEqual([status, body.code], [404, 'route_not_found']);
  assert.equal((await as('read')('POST', '/ui/')).headers.allow, 'GET, HEAD');
});

test('the document of the API says nothing of it', () => {
  assert.ok(Object.keys(app.swagger().paths ?? {}).every((path) => !path.startsWith('/ui') && path !== '/'));
});
