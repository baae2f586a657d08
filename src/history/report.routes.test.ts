import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { signLink } from './link.ts';

const { another, app, as, call, database } = await startApp();

const header = 'user_id,segment,operation,at,cause\r\n';
const linkOf = async (userId: string, query: string, headers = {}, by = as('read')) => {
  const { status, text, body } = await by('GET', `/v1/users/${encodeURIComponent(userId)}/report?${query}`, undefined, headers);
  assert.equal(status, 200, text);
  return body as { url: string; expires_at: string };
};
/** Without a key. */
const follow = (url: string, by = as(null)) => by('GET', new URL(url).pathname);

before(async () => {
  assert.equal((await call('POST', '/v1/segments', { slug: 'A' })).status, 201);
  await database.pool.query(`update segments set created_at = '2020-01-01'`);
  await database.pool.query(`update rollouts set from_at = '2020-01-01'`);
  await database.pool.query(`update definitions set version = version + 1`);
  for (const userId of ['1000', 'a,"b"', '=1+1', 'a/b']) {
    await database.pool.query(
      `insert into past_memberships select $1, segment_id, s, e, s, false, 'beginner', 'import', 'ender', 'request' from segments,
         (values (timestamptz '2025-11-01T00:00:00.000Z', timestamptz '2025-11-01T04:00:00.000Z'), ('2025-12-01T04:59:59.999Z', '2025-12-01T05:00:00.000Z')) v (s, e)`,
      [userId],
    );
  }
});

test('a link is followed without a key to the month as CSV, with a download name', async () => {
  const { url } = await linkOf('1000', 'month=2025-11');
  const { status, text, headers } = await follow(url);
  assert.deepEqual([status, headers['content-type']], [200, 'text/csv; charset=utf-8']);
  assert.equal(headers['content-disposition'], 'attachment; filename="segmentd-1000-2025-11.csv"');
  assert.equal(text, `${header}1000,A,add,2025-11-01T00:00:00.000Z,import\r\n1000,A,remove,2025-11-01T04:00:00.000Z,request\r\n`);
});

test('the month of a link is the calendar month of its time zone', async () => {
  const { url } = await linkOf('1000', 'month=2025-11&timezone=America/New_York');
  assert.equal(
    (await follow(url)).text,
    `${header}1000,A,remove,2025-11-01T04:00:00.000Z,request\r\n1000,A,add,2025-12-01T04:59:59.999Z,import\r\n`,
  );
});

for (const [userId, cell, name] of [
  ['a,"b"', '"a,""b"""', 'a__b_'],
  ['=1+1', '=1+1', '_1_1'],
  ['a/b', 'a/b', 'a_b'],
] as const) {
  test(`the id ${userId} stands in the file as RFC 4180 has it, unaltered`, async () => {
    const { text, headers } = await follow((await linkOf(userId, 'month=2025-12')).url);
    assert.equal(
      text,
      `${header}${cell},A,add,2025-12-01T04:59:59.999Z,import\r\n${cell},A,remove,2025-12-01T05:00:00.000Z,request\r\n`,
    );
    assert.equal(headers['content-disposition'], `attachment; filename="segmentd-${name}-2025-12.csv"`);
  });
}

test('for a spreadsheet no cell runs as a formula', async () => {
  const { url } = await linkOf('=1+1', 'month=2025-12&spreadsheet=true');
  const cell = `"'=1+1"`;
  assert.equal(
    (await follow(url)).text,
    `${header}${cell},A,add,2025-12-01T04:59:59.999Z,import\r\n${cell},A,remove,2025-12-01T05:00:00.000Z,request\r\n`,
  );
});

test('a long report is whole', async () => {
  const { rows } = await database.pool.query(`select segment_id from segments`);
  await database.pool.query(
    `insert into past_memberships select 'often', $1, s, s + interval '1 second', s, false, 'a', 'request', 'a', 'request'
       from (select timestamptz '2025-09-01' + i * interval '2 seconds' as s from generate_series(0, 2499) i) s`,
    [rows[0].segment_id],
  );
  const { text } = await follow((await linkOf('often', 'month=2025-09')).url);
  const start = Date.parse('2025-09-01T00:00:00Z');
  const lines = Array.from({ length: 5_000 }, (_, i) => {
    return `often,A,${i % 2 === 0 ? 'add' : 'remove'},${new Date(start + i * 1000).toISOString()},request\r\n`;
  });
  assert.equal(text, header + lines.join(''));
});

test('a month with no events is the header line alone, for anybody', async () => {
  for (const [user, month] of [
    ['1000', '2025-10'],
    ['nobody', '2025-11'],
    ['1000', '2999-01'],
  ] as const) {
    const { status, text } = await follow((await linkOf(user, `month=${month}`)).url);
    assert.deepEqual([status, text], [200, header]);
  }
});

test('the file is made when the link is followed, with all that was acknowledged by then', async () => {
  const { as_of } = (await call('PATCH', '/v1/users/late/segments', { add: ['A'] })).body;
  const { url } = await linkOf('late', `month=${as_of.slice(0, 7)}`);
  assert.equal((await follow(url)).text, `${header}late,A,add,${as_of},request\r\n`);
  const removed = (await call('PATCH', '/v1/users/late/segments', { remove: ['A'] })).body;
  assert.equal((await follow(url)).text, `${header}late,A,add,${as_of},request\r\nlate,A,remove,${removed.as_of},request\r\n`);
});

test('a link begins with the public address where one is set, else with the host of the request', async () => {
  const { url } = await linkOf('1000', 'month=2025-11', { host: 'segments.example:8443' });
  assert.ok(url.startsWith('http://segments.example:8443/v1/downloads/'), url);
  const { as: asPublic } = await startApp({ publicUrl: 'https://segments.example/base' });
  const publicLink = await linkOf('1000', 'month=2025-11', { host: 'other.example' }, asPublic('read'));
  assert.ok(publicLink.url.startsWith('https://segments.example/base/v1/downloads/'), publicLink.url);
});

test('no link is given to a host that no link can lead to', async () => {
  for (const host of ['a b', '[::1', 'a/b#']) {
    const { status, body } = await call('GET', '/v1/users/1/report?month=2025-11', undefined, { host });
    assert.deepEqual(
      [status, body.code, body.errors?.[0].path],
      [400, 'invalid_request', 'host'],
      `${host}: ${JSON.stringify(body)}`,
    );
  }
});

test('a link says when it ends, which is after the time that is set', async () => {
  const { as_of } = (await call('GET', '/v1/users/1/segments')).body;
  const { expires_at } = await linkOf('1000', 'month=2025-11');
  const seconds = (Date.parse(expires_at) - Date.parse(as_of)) / 1000;
  assert.ok(seconds >= 3599 && seconds < 3660, `${seconds} s`);
});

test('a link with any one character changed is refused', async () => {
  const token = new URL((await linkOf('1000', 'month=2025-11')).url).pathname.split('/').at(-1)!;
  const others = Array.from(token, (character, i) => `${token.slice(0, i)}${character === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`);
  const [claim, signature] = token.split('.') as [string, string];
  // Other spellings of the last bits, which decode to the same bytes, are changes too.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  others.push(
    ...alphabet
      .replace(token.at(-1)!, '')
      .split('')
      .map((last) => `${token.slice(0, -1)}${last}`),
  );
  others.push(
    token.slice(0, -1),
    token.slice(1),
    `${token}=`,
    `${token}A`,
    `${token}.`,
    `${token}.${signature}`,
    claim,
    `.${signature}`,
    '.',
    '%2E%2E%2E',
    '%00',
  );
  for (const other of others) {
    const answer = await app.inject({ url: `/v1/downloads/${other}` });
    assert.deepEqual([answer.statusCode, answer.json().code], [403, 'link_invalid'], other);
  }
  const { body } = await as(null)('GET', `/v1/downloads/${claim}`);
  assert.equal(body.detail, 'The link was changed, or has expired. Ask for a new one.');
  assert.equal((await app.inject({ url: `/v1/downloads/${token}` })).statusCode, 200);
});

const signed = (secret: string, expiresAt: number) =>
  `http://localhost/v1/downloads/${signLink(Buffer.from(secret), { subject: { kind: 'user', userId: '1000' }, month: '2025-11', timeZone: 'UTC', isForSpreadsheet: false }, expiresAt)}`;

test('a link is refused once it has expired, and when it was signed with another secret', async () => {
  const now = Date.parse((await call('GET', '/v1/users/1/segments')).body.as_of);
  for (const [url, status, code] of [
    [signed('a secret of the tests', now + 60_000), 200, undefined],
    [signed('a secret of the tests', now), 403, 'link_invalid'],
    [signed('another secret', now + 60_000), 403, 'link_invalid'],
  ] as const) {
    const answer = await follow(url);
    assert.deepEqual([answer.status, answer.body.code], [status, code]);
  }
});

test('a process that has just started knows the time for its links', async () => {
  const { expires_at } = await linkOf('1000', 'month=2025-11', {}, await another());
  assert.ok(expires_at > new Date().toISOString(), expires_at);
  const other = await another();
  assert.equal((await other('GET', new URL(signed('a secret of the tests', Date.now() - 60_000)).pathname)).status, 403);
});

for (const [query, path, message] of [
  ['', 'month', 'is missing.'],
  ['month=2025-13', 'month', 'must be a month as YYYY-MM, from 1970-01; got "2025-13".'],
  ['month=2025-11&timezone=Mars/Olympus', 'timezone', 'must be an IANA time zone such as Europe/Amsterdam; got "Mars/Olympus".'],
  ['month=2025-11&spreadsheet=yes', 'spreadsheet', 'must be boolean; got "yes".'],
  ['month=2025-11&segment=A', 'segment', 'is not a known parameter.'],
  ['from=2025-11-01T00:00:00Z&month=2025-11', 'from', 'is not a known parameter.'],
] as const) {
  test(`no link is given for ?${query}`, async () => {
    const { status, body } = await call('GET', `/v1/users/1000/report?${query}`);
    assert.deepEqual([status, body.code, body.errors], [400, 'invalid_request', [{ path, message }]]);
  });
}
