import assert from 'node:assert/strict';
import type { Answer, Call } from './app.ts';
import { until } from './service.ts';

/** Sends a file and answers the import as it is when it is over. */
export async function importFile(
  call: Call,
  slug: string,
  query: string,
  file: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer['body']> {
  const sent = await call('POST', `/v1/segments/${slug}/imports?${query}`, file, { 'content-type': 'text/csv', ...headers });
  assert.equal(sent.status, 202, sent.text);
  return finished(call, sent.body.id);
}

export async function finished(call: Call, id: string): Promise<Answer['body']> {
  let body: Answer['body'];
  await until(async () => {
    ({ body } = await call('GET', `/v1/imports/${id}`));
    return !['receiving', 'running'].includes(body.state);
  }, `import ${id} to end`);
  return body;
}
