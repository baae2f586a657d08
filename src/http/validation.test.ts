import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TSchema, Type } from 'typebox';
import { MomentText, Slug } from './common.schemas.ts';
import { momentRule } from './moment.ts';
import { Problem } from './problem.ts';
import { validatorCompiler } from './validation.ts';

const query = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
    last_revision: Type.Optional(Type.Boolean()),
    prefix: Type.Optional(Slug),
  },
  { additionalProperties: false },
);
const body = Type.Object(
  {
    add: Type.Optional(Type.Array(Slug, { maxItems: 3 })),
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    expires_at: Type.Optional(MomentText),
    scope: Type.Optional(Type.String({ enum: ['read', 'write'] })),
  },
  { additionalProperties: false },
);

test('the texts of a query become the numbers and flags that its schema asks for', () => {
  assert.deepEqual(accepted(query, 'querystring', { limit: '10', last_revision: 'true' }), { limit: 10, last_revision: true });
  assert.deepEqual(accepted(query, 'querystring', { last_revision: 'false' }), { last_revision: false, limit: 100 });
  assert.deepEqual(accepted(query, 'querystring', { prefix: '10' }), { prefix: '10', limit: 100 }, 'but a text stays one');
});

test('a number or a flag that is spelt otherwise is refused', () => {
  for (const limit of ['', ' 10', '10.0', '010', '1e2', '0x10', '+10', '-0', 'ten', '0', '1001', '-1', '99999999999999999999']) {
    assert.equal(refused(query, 'querystring', { limit })[0]!.path, 'limit', limit);
  }
  for (const last_revision of ['', '1', '0', 'yes', 'TRUE', 'True', 'null']) {
    assert.deepEqual(refused(query, 'querystring', { last_revision }), [
      { path: 'last_revision', message: `must be boolean; got ${JSON.stringify(last_revision)}.` },
    ]);
  }
});

test('an unknown parameter is refused, also one that every object has by nature', () => {
  for (const name of ['limits', 'constructor', 'toString', '__proto__']) {
    const given = Object.fromEntries([[name, '1']]);
    assert.deepEqual(refused(query, 'querystring', given), [{ path: name, message: 'is not a known parameter.' }]);
  }
});

test('a parameter given twice is refused', () => {
  assert.deepEqual(refused(query, 'querystring', { limit: ['1', '2'] }), [
    { path: 'limit', message: 'must be given once; got 2 times.' },
  ]);
});

test('nothing in a body is turned into what it is not', () => {
  assert.deepEqual(refused(body, 'body', { percent: '10' }), [{ path: 'percent', message: 'must be number; got "10".' }]);
  assert.deepEqual(refused(body, 'body', { percent: null }), [{ path: 'percent', message: 'must be number; got null.' }]);
  assert.deepEqual(refused(body, 'body', { add: 'A' }), [{ path: 'add', message: 'must be array; got "A".' }]);
  assert.equal(refused(body, 'body', null).length, 1);
  assert.equal(refused(body, 'body', []).length, 1);
});

test('every fault is told with its path and by what rule', () => {
  assert.deepEqual(
    refused(body, 'body', { add: ['A', '-b'], percent: 101, expires_at: '2026-02-30T00:00:00Z', scope: 'root', ad: [] }),
    [
      { path: 'ad', message: 'is not a known field.' },
      { path: 'add/1', message: `${slugRule}; got "-b".` },
      { path: 'percent', message: 'must be <= 100; got 101.' },
      { path: 'expires_at', message: `${momentRule}; got "2026-02-30T00:00:00Z".` },
      { path: 'scope', message: 'must be one of read, write; got "root".' },
    ],
  );
  assert.deepEqual(refused(body, 'body', { add: ['A', 'B', 'C', 'D'] }), [
    { path: 'add', message: 'must have at most 3 items; got a list of 4.' },
  ]);
  const sized = Type.Object(
    { ids: Type.Optional(Type.Array(Type.String(), { minItems: 1 })), name: Type.Optional(Type.String({ maxLength: 1 })) },
    { minProperties: 1 },
  );
  assert.deepEqual(refused(sized, 'body', { ids: [], name: 'ab' }), [
    { path: 'ids', message: 'must have at least 1 item; got a list of 0.' },
    { path: 'name', message: 'must have at most 1 character; got "ab".' },
  ]);
  assert.deepEqual(refused(sized, 'body', {}), [
    { path: '', message: 'must have at least 1 field of ids, name; got an object.' },
  ]);
  assert.deepEqual(refused(Type.Object({ slug: Slug }), 'body', {}), [{ path: 'slug', message: 'is missing.' }]);
});

test('the text of a refusal is its first fault and how many more there are', () => {
  assert.equal(problem(body, 'body', { percent: 101 }).message, 'percent must be <= 100; got 101.');
  assert.equal(problem(body, 'body', { add: 1, percent: 101 }).message, 'add must be array; got 1. And 1 more, see errors.');
});

test('of very many faults 20 are told', () => {
  const list = Type.Object({ slugs: Type.Array(Slug) });
  assert.equal(refused(list, 'body', { slugs: Array.from({ length: 500 }, () => '') }).length, 20);
});

test('of a megabyte of faults the first is told and no more are looked for', () => {
  const many = Array.from({ length: 250_000 }, () => 1);
  const fault = problem(body, 'body', { add: many });
  assert.equal(fault.message, 'add must have at most 3 items; got a list of 250000.', 'the length before the items');
  assert.equal(fault.faults.length, 1);
  const unknown = Object.fromEntries(many.map((_, i) => [`field-${i}`, 1]));
  assert.equal(refused(body, 'body', unknown).length, 1);
});

const slugRule = 'must be 1 to 128 of A-Z a-z 0-9 _ . -, starting with a letter or digit';

function validated(schema: TSchema, httpPart: string, value: unknown): object {
  const result: unknown = validatorCompiler({ schema, httpPart, method: 'POST', url: '/v1/segments' })(value);
  assert.ok(typeof result === 'object' && result !== null);
  return result;
}

function accepted(schema: TSchema, httpPart: string, value: unknown): unknown {
  const result = validated(schema, httpPart, value);
  assert.ok('value' in result, 'it was refused');
  return result.value;
}

function problem(schema: TSchema, httpPart: string, value: unknown): Problem {
  const result = validated(schema, httpPart, value);
  assert.ok('error' in result && result.error instanceof Problem, 'it was not refused');
  assert.equal(result.error.code, 'invalid_request');
  return result.error;
}

const refused = (schema: TSchema, httpPart: string, value: unknown) => problem(schema, httpPart, value).faults;
