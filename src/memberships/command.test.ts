import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../http/problem.ts';
import { commandOf, type WantedChange } from './command.ts';

test('what is added and removed is asked for by the name of the key', () => {
  assert.deepEqual(commandOf({ add: ['A', 'B'], remove: ['C'] }, 'analytics'), {
    add: ['A', 'B'],
    remove: ['C'],
    start: null,
    end: { kind: 'never' },
    replaceInGroup: false,
    actor: 'analytics',
    cause: 'request',
  });
  assert.deepEqual(commandOf({ remove: ['C'] }, 'analytics').add, []);
  assert.deepEqual(commandOf({ add: ['A'] }, 'analytics').remove, []);
});

test('a TTL is in seconds and counts from the change, an expiry is a moment', () => {
  assert.deepEqual(commandOf({ add: ['A'], ttl_seconds: 172_800 }, 'analytics').end, { kind: 'ttl', milliseconds: 172_800_000 });
  const expires_at = '2026-11-23T13:00:00+03:00';
  assert.deepEqual(commandOf({ add: ['A'], expires_at }, 'analytics').end, {
    kind: 'at',
    moment: Date.parse('2026-11-23T10:00:00Z'),
  });
});

test('a change without a slug is refused', () => {
  for (const empty of [{}, { add: [] }, { remove: [] }, { add: [], remove: [] }]) {
    assert.deepEqual(refusalOf(empty).faults, [{ path: '', message: 'Name at least one slug in add or in remove.' }]);
  }
});

test('1,000 slugs are taken in both lists together, 1,001 are refused', () => {
  const slugs = Array.from({ length: 1_001 }, (_, i) => `S${i}`);
  assert.equal(commandOf({ add: slugs.slice(0, 1_000) }, 'analytics').add.length, 1_000);
  assert.equal(commandOf({ add: slugs.slice(0, 400), remove: slugs.slice(400, 1_000) }, 'analytics').remove.length, 600);
  const refused = refusalOf({ add: slugs.slice(0, 400), remove: slugs.slice(400) });
  assert.deepEqual(refused.faults, [{ path: '', message: 'Name at most 1000 slugs in add and remove together; got 1001.' }]);
});

test('two ends at once are refused', () => {
  const refused = refusalOf({ add: ['A'], ttl_seconds: 60, expires_at: '2026-11-23T10:00:00Z' });
  assert.deepEqual(refused.faults, [{ path: 'expires_at', message: 'cannot be given together with ttl_seconds.' }]);
});

test('an end without something added is refused', () => {
  const message = 'is the end of what is added: it needs add.';
  assert.deepEqual(refusalOf({ remove: ['A'], ttl_seconds: 60 }).faults, [{ path: 'ttl_seconds', message }]);
  assert.deepEqual(refusalOf({ add: [], remove: ['A'], expires_at: '2026-11-23T10:00:00Z' }).faults, [
    { path: 'expires_at', message },
  ]);
});

test('a slug named twice is refused, wherever it stands, and each repeat is told', () => {
  assert.deepEqual(refusalOf({ add: ['A', 'B', 'A'] }).faults, [{ path: 'add/2', message: 'A is named already in add/0.' }]);
  assert.deepEqual(refusalOf({ remove: ['A', 'A'] }).faults, [{ path: 'remove/1', message: 'A is named already in remove/0.' }]);
  assert.deepEqual(refusalOf({ add: ['A', 'B'], remove: ['C', 'B', 'A', 'A'] }).faults, [
    { path: 'remove/1', message: 'B is named already in add/1.' },
    { path: 'remove/2', message: 'A is named already in add/0.' },
    { path: 'remove/3', message: 'A is named already in add/0.' },
  ]);
});

test('slugs that differ in case are two', () => {
  assert.deepEqual(commandOf({ add: ['a', 'A'] }, 'analytics').add, ['a', 'A']);
});

test('names of what every object has are slugs like any other', () => {
  const slugs = ['constructor', 'toString', 'hasOwnProperty', 'valueOf'];
  assert.deepEqual(commandOf({ add: slugs }, 'analytics').add, slugs);
});

test('of very many repeats 20 are told', () => {
  assert.equal(refusalOf({ add: Array.from({ length: 1_000 }, () => 'A') }).faults.length, 20);
});

/** The problem with which a change is refused; each says its first fault in its text too. */
function refusalOf(wanted: WantedChange): Problem {
  try {
    commandOf(wanted, 'analytics');
  } catch (error) {
    assert.ok(error instanceof Problem);
    assert.equal(error.code, 'invalid_request');
    assert.ok(error.message.includes(error.faults[0]!.message), error.message);
    return error;
  }
  return assert.fail('it was not refused');
}
