import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type LinkedReport, readLink, signLink } from './link.ts';

const secret = Buffer.from('a secret of the tests, 32 bytes!');
const ofUser = (userId: string): LinkedReport => {
  return { subject: { kind: 'user', userId }, month: '2026-11', timeZone: 'Europe/Amsterdam', isForSpreadsheet: false };
};
const report = ofUser('1000');
const expiresAt = Date.parse('2026-11-23T11:00:00.000Z');
const beforeItExpires = expiresAt - 1;
const token = signLink(secret, report, expiresAt);

test('a link gives back the report that was signed', () => {
  assert.deepEqual(readLink(secret, token, beforeItExpires), report);
});

test('it does for any user id, and the link needs no encoding in a path', () => {
  const userIds = fc.stringMatching(/^[!-~]{1,128}$/);
  fc.assert(
    fc.property(userIds, (userId) => {
      const link = signLink(secret, ofUser(userId), expiresAt);
      assert.equal(encodeURIComponent(link), link);
      assert.deepEqual(readLink(secret, link, beforeItExpires), ofUser(userId));
    }),
  );
});

test('a link to a segment or to all, for a spreadsheet or not, gives back which', () => {
  for (const subject of [{ kind: 'segment', slug: 'A' }, { kind: 'all' }] as const) {
    for (const isForSpreadsheet of [false, true]) {
      const other = { ...report, subject, isForSpreadsheet };
      assert.deepEqual(readLink(secret, signLink(secret, other, expiresAt), beforeItExpires), other);
    }
  }
});

test('a link from before there were reports for spreadsheets is read as one that is for none', () => {
  const claim = Buffer.from(JSON.stringify(['user', '1000', report.month, report.timeZone, expiresAt])).toString('base64url');
  const signature = createHmac('sha256', secret).update(claim).digest('base64url');
  assert.deepEqual(readLink(secret, `${claim}.${signature}`, beforeItExpires), report);
});

test('it expires exactly at its moment', () => {
  assert.ok(readLink(secret, token, expiresAt - 1));
  assert.equal(readLink(secret, token, expiresAt), undefined);
  assert.equal(readLink(secret, token, expiresAt + 1), undefined);
});

test('any change of any character is refused', () => {
  for (let i = 0; i < token.length; i++) {
    for (const other of characters) {
      if (other !== token[i])
        assert.equal(readLink(secret, token.slice(0, i) + other + token.slice(i + 1), beforeItExpires), undefined);
    }
  }
});

test('a character more or less anywhere is refused', () => {
  for (let i = 0; i <= token.length; i++) {
    if (i < token.length) assert.equal(readLink(secret, token.slice(0, i) + token.slice(i + 1), beforeItExpires), undefined);
    for (const other of characters) {
      assert.equal(readLink(secret, token.slice(0, i) + other + token.slice(i), beforeItExpires), undefined, `${other} at ${i}`);
    }
  }
});

test('the claim of one link with the signature of another is refused', () => {
  const other = signLink(secret, ofUser('1002'), expiresAt);
  const [claim] = token.split('.');
  const [, signature] = other.split('.');
  assert.equal(readLink(secret, `${claim}.${signature}`, beforeItExpires), undefined);
});

test('a later expiry cannot be written into a link', () => {
  const [, signature] = token.split('.');
  const claim = Buffer.from(JSON.stringify(['user', '1000', report.month, report.timeZone, expiresAt + 1, false])).toString(
    'base64url',
  );
  assert.equal(readLink(secret, `${claim}.${signature}`, beforeItExpires), undefined);
});

test('a link that another secret signed is refused', () => {
  assert.equal(readLink(Buffer.from('another secret, also of 32 bytes'), token, beforeItExpires), undefined);
  assert.equal(readLink(Buffer.alloc(0), token, beforeItExpires), undefined);
});

test('any other text is refused, and none makes it fail', () => {
  for (const text of ['', '.', '..', `${token}.`, `.${token}`, `${token}.${token}`, token.split('.')[0]!]) {
    assert.equal(readLink(secret, text, beforeItExpires), undefined, JSON.stringify(text));
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(readLink(secret, text, 0), undefined)));
});

test('nothing but the report, its expiry and the secret decides the link', () => {
  assert.equal(signLink(secret, { ...report }, expiresAt), token);
  const others = [
    signLink(secret, ofUser('1001'), expiresAt),
    signLink(secret, { ...report, subject: { kind: 'segment', slug: '1000' } }, expiresAt),
    signLink(secret, { ...report, subject: { kind: 'all' } }, expiresAt),
    signLink(secret, { ...report, isForSpreadsheet: true }, expiresAt),
    signLink(secret, { ...report, month: '2026-12' }, expiresAt),
    signLink(secret, { ...report, timeZone: 'UTC' }, expiresAt),
    signLink(secret, report, expiresAt + 1),
    signLink(Buffer.from('another secret'), report, expiresAt),
  ];
  assert.equal(new Set([token, ...others]).size, others.length + 1);
});

/** What links are made of, and what a decoder of base64 might overlook. */
const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+/= \n\0é'.split('');
