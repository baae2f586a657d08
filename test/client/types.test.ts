import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type Described, typesOf } from '../../client/generate/types.ts';
import { problems } from '../../src/http/problem.ts';
import { apiDocument } from '../support/api-document.ts';

const written = await readFile(new URL('../../client/src/api.ts', import.meta.url), 'utf8');

test("the client's types are those of the OpenAPI document: if not, npm run types:client", async () => {
  const document: unknown = await apiDocument();
  assert.equal(written, typesOf(document as Described));
});

test('the codes are those of the service', () => {
  const [, codes] = /\n {2}code: (.+);/.exec(written.slice(written.indexOf('export type Problem'))) ?? [];
  assert.deepEqual(
    codes?.split(' | '),
    Object.keys(problems).map((code) => `'${code}'`),
  );
});

test('what the generator does not know stops it', () => {
  const answered = (schema: object) => {
    const responses = { 200: { content: { 'application/json': { schema } } } };
    const paths = { '/x': { get: { operationId: 'x', summary: 'X', responses } } };
    return typesOf({ paths, components: { schemas: { Problem: { type: 'object' } } } } as unknown as Described);
  };
  assert.match(
    answered({ type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } }),
    / x: \(string \| null\)\[\];/,
  );
  assert.throws(() => answered({ type: 'object', properties: { one: { $ref: 'Other' } } }), /does not know \{"\$ref":"Other"\}/);
});
