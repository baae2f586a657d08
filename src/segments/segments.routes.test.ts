import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../../test/support/app.ts';

const { call } = await startApp();

test('a created segment can be read at its location', async () => {
  const created = await call('POST', '/v1/segments', { slug: 'AVITO_NEW_CARD', percent: 10 });
  assert.equal(created.status, 201);
  const read = await call('GET', String(created.headers.location));
  assert.deepEqual(read.body, { ...created.body, members: 0 });
});
