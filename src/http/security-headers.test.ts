import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import helmet from 'helmet';
import { startApp } from '../../test/support/app.ts';
import { helmetOptions } from './security-headers.ts';

const { as, call } = await startApp();

/** What helmet sets by itself, asked over HTTP. */
async function ofHelmet(): Promise<Record<string, string>> {
  const set = helmet(helmetOptions);
  const server = createServer((request, response) => set(request, response, () => response.end()));
  after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return Object.fromEntries([...headers].filter(([name]) => !/^(date|connection|keep-alive|content-length)$/.test(name)));
}

test('every answer has the headers that helmet sets, refusals too', async () => {
  const expected = await ofHelmet();
  assert.ok(Object.keys(expected).length >= 10, `helmet set only ${Object.keys(expected).join(', ')}`);
  assert.equal(expected['content-security-policy'], "default-src 'none';frame-ancestors 'none'");
  assert.equal(expected['strict-transport-security'], undefined);
  for (const answer of [
    await call('GET', '/v1/segments'),
    await as(null)('GET', '/healthz'),
    await as(null)('GET', '/v1/segments'),
    await call('GET', '/nowhere'),
    await call('PUT', '/v1/segments'),
  ]) {
    const { headers } = answer;
    const sent = Object.fromEntries(Object.keys(expected).map((name) => [name, headers[name]]));
    assert.deepEqual(sent, expected, `${answer.status}`);
    assert.match(String(headers['x-request-id']), /^[\da-f-]{36}$/);
  }
});
