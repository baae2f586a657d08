import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLink, signLink } from '../history/link.ts';
import { readStreamLink, signStreamLink } from './stream-link.ts';

const secret = Buffer.from('a secret of the tests, 32 bytes!');
const link = { keyName: 'page', userId: '1000' };
const hour = 3_600_000;
const noon = Date.parse('2026-11-23T12:00:00Z');

test('a link gives back whose stream it is and by which key', () => {
  assert.deepEqual(readStreamLink(secret, signStreamLink(secret, link, noon, hour), noon), link);
});

test('it says the same for as long as it may be kept, and can be followed at least that long from any moment on', () => {
  const token = signStreamLink(secret, link, noon, hour);
  assert.equal(signStreamLink(secret, link, noon + hour - 1, hour), token);
  assert.notEqual(signStreamLink(secret, link, noon + hour, hour), token);
  assert.deepEqual(readStreamLink(secret, token, noon + 2 * hour - 1), link);
  assert.equal(readStreamLink(secret, token, noon + 2 * hour), undefined);
});

test('another secret, and a change of a character, are refused', () => {
  const token = signStreamLink(secret, link, noon, hour);
  assert.equal(readStreamLink(Buffer.from('another secret'), token, noon), undefined);
  for (let i = 0; i < token.length; i++)
    assert.equal(
      readStreamLink(secret, `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`, noon),
      undefined,
    );
});

test('what is signed for a stream opens no report, and what is signed for a report no stream', () => {
  const token = signStreamLink(secret, { keyName: 'all', userId: '2026-11' }, noon, hour);
  assert.equal(readLink(secret, token, noon), undefined);
  const report = { subject: { kind: 'all' }, month: '2026-11', timeZone: 'UTC', isForSpreadsheet: false } as const;
  assert.equal(readStreamLink(secret, signLink(secret, report, noon + hour), noon), undefined);
});
