import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { brokenConstraint, failureOf, StandbyError, wasRefused } from './failures.ts';

test('a database that is gone, starting, stopping, full or a standby is unavailable', () => {
  const codes = [
    '08000',
    '08003',
    '08006',
    '53100',
    '53300',
    '53400',
    '58030',
    '57P01',
    '57P02',
    '57P03',
    '57P05',
    '25006',
    '25P03',
    '28P01',
    '3D000',
  ];
  for (const code of codes) assert.equal(failureOf(answered(code)), 'unavailable', code);
  assert.equal(failureOf(new StandbyError()), 'unavailable');
});

test('a network that fails is unavailable', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', 'EAI_AGAIN']) {
    assert.equal(failureOf(Object.assign(new Error('connect'), { code })), 'unavailable', code);
  }
});

test('what the driver says without a code of a connection that broke or never came is unavailable', () => {
  const texts = [
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Query read timeout',
    'Client has encountered a connection error and is not queryable',
  ];
  for (const text of texts) assert.equal(failureOf(new Error(text)), 'unavailable', text);
});

test('a statement or a lock past its limit, no memory, no free connection, or a transaction that gave way is too much to do', () => {
  assert.equal(failureOf(new Error('timeout exceeded when trying to connect')), 'overloaded');
  for (const code of ['57014', '55P03', '53200', '40001', '40P01']) assert.equal(failureOf(answered(code)), 'overloaded', code);
});

test("a clock behind its own history is told apart by the code of the project's own", () => {
  assert.equal(failureOf(answered('SD001')), 'clock_behind');
});

test('anything else is a defect', () => {
  for (const code of ['23505', '42P01', '42601', '22P02', 'XX000', 'SD002'])
    assert.equal(failureOf(answered(code)), undefined, code);
  for (const error of [
    new TypeError('x is not a function'),
    new Error('Connection'),
    'ECONNREFUSED',
    undefined,
    null,
    { code: '08006' },
  ]) {
    assert.equal(failureOf(error), undefined);
  }
});

test('a broken constraint is known by its name', () => {
  const error = answered('23505');
  error.constraint = 'segments_living_slug';
  assert.equal(brokenConstraint(error), 'segments_living_slug');
  assert.equal(brokenConstraint(answered('23505')), undefined);
  assert.equal(brokenConstraint(new Error('segments_living_slug')), undefined);
});

/** An error as the server answers it. */
function answered(code: string): pg.DatabaseError {
  const error = new pg.DatabaseError('refused', 0, 'error');
  error.code = code;
  return error;
}

test('only what the database itself did not carry out was refused', () => {
  for (const code of ['SD001', 'SD002', 'P0001', '23514', '40P01', '55P03', '57014']) assert.ok(wasRefused(answered(code)), code);
  for (const code of ['57P01', '08006', '53100', '25006']) assert.ok(!wasRefused(answered(code)), code);
  for (const text of ['Connection terminated unexpectedly', 'Query read timeout']) assert.ok(!wasRefused(new Error(text)), text);
  assert.ok(!wasRefused(Object.assign(new Error('read'), { code: 'ECONNRESET' })));
});
